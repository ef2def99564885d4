import type { MatrixRole, ModelDescription } from "../architectures/index.js";
import { packMatrix, type Packing, requireTensor } from "../packing/pack.js";
import type { HeadScreen } from "../packing/screen.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";
import { createFileRows, type FileRows } from "./file-rows.js";
import type { Model } from "../model/model.js";
import {
  createScreening,
  type Logits,
  type LogitsNeed,
  screensLargest,
  type Screening,
} from "./screening.js";
import { inputOf, screenBlockCount, workOf, type WorkPlan } from "../graph/work-plan.js";

/**
 * What the caller's thread does about embeddings and logits while the output head is screened. A head that is whole in memory
 * from the start needs none of this.
 */
export interface OutputHead {
  /** Whether logits that were asked for can be had from the screen. */
  canScreen(need: LogitsNeed): boolean;
  /** Fills the residual stream with the tokens' embeddings, if those are not in memory. */
  embed(plan: WorkPlan, tokens: readonly number[]): Promise<void>;
  /**
   * After a pass by the screen, once for each row of its logits: exact logits where they matter, −Infinity elsewhere.
   * @param rows how many rows of logits the pass gave.
   */
  screened(plan: WorkPlan, row: number, rows: number, need: LogitsNeed): Promise<Logits>;
  /** Has the whole head in memory from then on: for those who want all logits. Reads the file once. */
  makeWhole(): Promise<void>;
}

/**
 * @param replace tells the threads of a model that has changed.
 */
export function createOutputHead(parts: {
  readonly model: () => Model;
  readonly replace: (model: Model) => void;
  readonly description: ModelDescription;
  readonly memories: Memories;
  readonly packing: Packing;
}): OutputHead {
  const { model, memories, packing, description } = parts;
  const { screen } = model();
  const helpers = screen === undefined ? undefined : createHelpers(screen, memories, packing, description);
  let whole: Promise<void> | undefined;

  async function readWhole(): Promise<void> {
    const head = await packMatrix(packing, description.head, model().headRegion);
    const tied = description.head === description.embedding;
    parts.replace({ ...model(), head, ...(tied && { embedding: head }) });
  }

  return {
    canScreen: (need) =>
      helpers !== undefined && need !== "all" && screensLargest(model().sizes.vocabSize, need.count),
    async embed(plan, tokens): Promise<void> {
      if (helpers === undefined || model().embedding !== undefined) return;
      await helpers.embeddings.widen(tokens, workOf(plan, model().embeddingRegion).x.address);
    },
    async screened(plan, row, rows, need): Promise<Logits> {
      if (helpers === undefined || need === "all") throw new Error("not screened");
      const { screening, cols } = helpers;
      const { region, cols: vocabSize } = plan.logits;
      // The head comes last in a pass, so what it left as its input is still there.
      const { input } = inputOf(workOf(plan, region), rows, 0);
      const blockBytes = screenBlockCount(vocabSize) * 8;
      const bounds = {
        upper: { region, address: plan.logits.address + row * vocabSize * 4 },
        blocks: { region, address: plan.screenBlocks.address + row * blockBytes },
      };
      return screening.exact(plan, row, bounds, { region, address: input.normed + row * cols * 4 }, need);
    },
    async makeWhole(): Promise<void> {
      if (model().head !== undefined) return;
      whole ??= readWhole();
      try {
        await whole;
      } finally {
        if (model().head === undefined) whole = undefined;
      }
    },
  };
}

function createHelpers(
  screen: HeadScreen,
  memories: Memories,
  packing: Packing,
  description: ModelDescription,
): { readonly screening: Screening; readonly embeddings: FileRows; readonly cols: number } {
  const { region, cols } = screen.matrix;
  const kernels = (): Kernels => packing.kernels(region);
  const rowsOf = (role: MatrixRole): FileRows =>
    createFileRows({ tensor: requireTensor(packing.file, role.tensor), cols, region, memories, kernels });
  const rows = rowsOf(description.head);
  const embeddings = description.embedding === description.head ? rows : rowsOf(description.embedding);
  return { screening: createScreening(memories, screen.matrix.rows, rows), embeddings, cols };
}
