import { afterAll, beforeAll, type TestContext } from "vitest";
import { type KernelBuild, kernelBuilds } from "#dist/wasm/kernel-build.js";
import { committedGoldenPath, goldenAvailable, goldenMissing, goldenPath } from "../support/golden-path.js";
import { type Intermediates, readIntermediates } from "./intermediates.js";
import { openWorkbench, type Workbench } from "./workbench.js";

/** A model with dumped intermediates, and their names in its architecture. */
export interface DumpedModel {
  readonly name: string;
  readonly folder: string;
  readonly available: boolean;
  readonly pairing: "halves" | "adjacent";
  readonly gate: "relu2" | "silu";
  /** Names of dumped tensors, without the layer. */
  readonly attended: string;
  readonly output: string;
  /** The gated activation. Undefined if it was not dumped. */
  readonly gated: string | undefined;
  readonly down: string;
}

const bitnetB158 = {
  pairing: "halves",
  gate: "relu2",
  attended: "kqv_out",
  output: "attn_o_out",
  gated: "ffn_out",
  down: "ffn_down",
} as const;
const bitnet = { ...bitnetB158, gate: "silu", gated: undefined } as const;
const llama = {
  pairing: "adjacent",
  gate: "silu",
  attended: "kqv_merged_cont",
  output: "kqv_out",
  gated: "ffn_gate_par",
  down: "ffn_out",
} as const;

const whole = (name: string): Pick<DumpedModel, "name" | "folder" | "available"> => ({
  name,
  folder: goldenPath(name),
  available: goldenAvailable,
});
const committed = (name: string): Pick<DumpedModel, "name" | "folder" | "available"> => ({
  name: `${name} (committed part)`,
  folder: committedGoldenPath(name),
  available: true,
});

const dumpedModels: readonly DumpedModel[] = [
  { ...committed("tiny-bitnet-b1.58-i2_s"), ...bitnetB158 },
  { ...committed("tiny-llama-i2_s"), ...llama },
  { ...whole("tiny-bitnet-b1.58-i2_s"), ...bitnetB158 },
  { ...whole("tiny-bitnet-i2_s"), ...bitnet },
  { ...whole("tiny-llama-i2_s"), ...llama },
];

/** Every model with every shipped build. */
export const dumpCases: readonly {
  readonly name: string;
  readonly model: DumpedModel;
  readonly build: KernelBuild;
}[] = dumpedModels.flatMap((model) => kernelBuilds.map((build) => ({ name: model.name, model, build })));

/** An open model and its dumps during the tests. */
export interface DumpRun {
  readonly bench: Workbench;
  readonly dumps: Intermediates;
  /** Skips the test if the data lacks the tensor. Undefined stands for a tensor that no dump has. */
  needs(context: TestContext, tensor?: string): void;
  /** Calls `check` for every layer, after `needs`. */
  everyLayer(
    context: TestContext,
    tensor: string | undefined,
    check: (layer: number) => void | Promise<void>,
  ): Promise<void>;
}

/** Opens the model before the tests and closes it after them. Call it in `describe`. */
export function setUpDump(model: DumpedModel, build: KernelBuild): DumpRun {
  let bench: Workbench | undefined;
  let dumps: Intermediates | undefined;
  beforeAll(async () => {
    if (!model.available) return;
    bench = await openWorkbench(`${model.folder}/model.gguf`, build);
    dumps = readIntermediates(model.folder);
  });
  afterAll(() => bench?.close());
  const run: DumpRun = {
    get bench() {
      if (bench === undefined) throw new Error(`${model.name} is not open`);
      return bench;
    },
    get dumps() {
      if (dumps === undefined) throw new Error(`${model.name} is not open`);
      return dumps;
    },
    needs(context, tensor): void {
      if (!model.available) context.skip(goldenMissing);
      if (tensor !== undefined && !run.bench.has(tensor)) context.skip("not in this part of the data");
    },
    async everyLayer(context, tensor, check): Promise<void> {
      run.needs(context, tensor);
      for (const layer of run.dumps.layers) await check(layer);
    },
  };
  return run;
}
