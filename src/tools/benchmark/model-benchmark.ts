import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import type { ModelInfo } from "../../language-model/model-info.js";
import { type Model, projectionsOf } from "../../model/model.js";
import { tokenBytes } from "../../model/bytes-per-token.js";
import { layoutOf } from "../../packing/layouts/index.js";
import type { PackedMatrix } from "../../packing/packed.js";
import type { PackingGoal } from "../../packing/packing.js";
import type { CacheType } from "../../wasm/cache-types.js";
import type { EnergyMeter, NoEnergyMeter } from "../../platform/energy-counters.js";
import { peakRssBytes } from "../../platform/node-host.js";
import {
  type ArithmeticEnergy,
  type CountedMatrix,
  type CountedModel,
  estimateArithmeticEnergy,
  paperPositions,
  type ProcessNode,
} from "./arithmetic-energy.js";
import { fasterOf, measureReadBandwidth, type ReadBandwidth } from "./bandwidth.js";
import { type BenchmarkTest, measure, type Measurement } from "./benchmark.js";
import { type DecodeLimit, decodeLimit, meanBytesPerToken } from "./decode-limit.js";
import { watchEnergy } from "./energy.js";
import { type FirstToken, firstTokenPrompt, measureFirstToken } from "./first-token.js";
import type { ProfileSum, TokenProfile } from "./profile-parts.js";

/** Results for one model and one number of threads, except the speeds of tests. */
export interface BenchmarkSetup {
  readonly threads: number;
  readonly loadMs: number;
  /** Bytes of tensors per second of `loadMs`. */
  readonly loadBytesPerSecond: number;
  /** Undefined if the context cannot hold the prompt. */
  readonly firstToken: FirstToken | undefined;
  /** Measured before the tests. Undefined if no test generates. */
  readonly bandwidth: ReadBandwidth | undefined;
  readonly meter: EnergyMeter | NoEnergyMeter;
  /** Per token, in a sequence as long as the papers' sequences. */
  readonly arithmetic: Readonly<Record<ProcessNode, ArithmeticEnergy>>;
}

/** The result of one test. */
export interface BenchmarkRow {
  readonly measurement: Measurement;
  readonly threads: number;
  readonly kernelBuild: string;
  /** As ModelInfo.dotForms. */
  readonly dotForms: ModelInfo["dotForms"];
  /** As ModelInfo.promptForms. */
  readonly promptForms: ModelInfo["promptForms"];
  /** As ModelInfo.threadShares. */
  readonly threadShares: ModelInfo["threadShares"];
  readonly packing: PackingGoal;
  readonly cacheType: CacheType;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  /** Generation only: tokens of a prompt share the bytes that they read. */
  readonly limit: DecodeLimit | undefined;
  /** Undefined if the machine does not report it. */
  readonly joulesPerToken: number | undefined;
  readonly profile: TokenProfile | undefined;
}

export interface ModelBenchmarkOptions {
  readonly tests: readonly BenchmarkTest[];
  readonly repetitions: number;
  /** Duration of the loading that just ended. */
  readonly loadMs: number;
  /** Bytes of tensors that it read. */
  readonly loadedBytes: number;
  readonly meter: EnergyMeter | NoEnergyMeter;
  /** A text as source of tokens, instead of random ones. */
  readonly text?: string | undefined;
  /** Receives the profiles of a model that was loaded to make them. */
  readonly profile?: ProfileSum | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Measures everything outside the tests. Call it first after loading: the first token is timed cold. */
export async function measureSetup(
  model: LanguageModel,
  { tests, repetitions, loadMs, loadedBytes, meter, signal }: ModelBenchmarkOptions,
): Promise<BenchmarkSetup> {
  const { engine } = internalsOf(model);
  const fits = model.tokenize(firstTokenPrompt).length <= model.info.contextLength;
  const firstToken = fits ? await measureFirstToken(model, { repetitions, signal }) : undefined;
  const { layers, head } = tokenBytes(engine.model);
  const generates = tests.some(({ kind }) => kind === "tg");
  const counted = countModel(engine.model);
  return {
    threads: model.info.threads,
    loadMs,
    loadBytesPerSecond: loadedBytes / (loadMs / 1000),
    firstToken,
    bandwidth: generates ? await measureReadBandwidth(engine, layers + head, signal) : undefined,
    meter,
    arithmetic: {
      "45nm": estimateArithmeticEnergy(counted, paperPositions, "45nm"),
      "7nm": estimateArithmeticEnergy(counted, paperPositions, "7nm"),
    },
  };
}

/** Measures one test. */
export async function measureTest(
  model: LanguageModel,
  test: BenchmarkTest,
  setup: BenchmarkSetup | undefined,
  { repetitions, loadMs, meter, text, profile, signal }: ModelBenchmarkOptions,
): Promise<BenchmarkRow> {
  const { info } = model;
  const { engine } = internalsOf(model);
  const watch = "zones" in meter ? watchEnergy(meter) : undefined;
  let joules: number | undefined;
  let measurement: Measurement;
  try {
    measurement = await measure({ info, openSession: engine.openSession }, test, {
      repetitions,
      ids: text === undefined ? undefined : model.tokenize(text),
      signal,
      onMeasuring: () => {
        profile?.reset();
        watch?.start();
      },
    });
  } finally {
    joules = watch?.stop();
  }
  const generates = test.kind === "tg";
  const { threads, kernelBuild, dotForms, promptForms, threadShares, packing, cacheType } = info;
  let limit: DecodeLimit | undefined;
  if (generates && setup?.bandwidth !== undefined) {
    // Before and after the tests, because other load on a machine varies.
    const after = await measureReadBandwidth(engine, setup.bandwidth.bytes, signal);
    limit = decodeLimit(
      meanBytesPerToken(tokenBytes(engine.model), test.tokens),
      measurement.medianTokensPerSecond,
      fasterOf(setup.bandwidth, after),
    );
  }
  return {
    measurement,
    threads,
    kernelBuild,
    dotForms,
    promptForms,
    threadShares,
    packing,
    cacheType,
    loadMs,
    peakRssBytes: peakRssBytes(),
    limit,
    joulesPerToken: joules === undefined ? undefined : joules / measurement.total.tokens,
    profile: generates ? profile?.perToken(measurement.total) : undefined,
  };
}

/** The facts that the arithmetic of a token is counted from. */
export function countModel({ layers, head, screen, sizes }: Model): CountedModel {
  const output = head ?? screen?.matrix;
  return {
    matrices: layers.flatMap((layer) => projectionsOf(layer)).map(({ matrix }) => countMatrix(matrix)),
    head: output && countMatrix(output),
    layers: sizes.layers,
    queryWidth: sizes.heads * sizes.headSize,
  };
}

function countMatrix(matrix: PackedMatrix): CountedMatrix {
  return { rows: matrix.rows, cols: matrix.cols, ternary: layoutOf(matrix).ternary };
}
