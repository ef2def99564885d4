import type { MatrixRole, ModelDescription } from "../architectures/index.js";
import { packMatrix, requireTensor } from "../packing/pack.js";
import type { Packing } from "../packing/packing.js";
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
 * Embeddings and logits on the caller's thread while the output head is screened. For a head that is whole in
 * memory from the start, these methods do nothing.
 */
export interface OutputHead {
  /** Whether the screen suffices for the logits needed. */
  canScreen(need: LogitsNeed): boolean;
  /** Fills the residual stream [tokens, width] with embeddings, unless the embedding is in memory. */
  embed(plan: WorkPlan, tokens: readonly number[]): Promise<void>;
  /**
   * Exact logits of the tokens that matter, −Infinity for others. To be called once for each row of a
   * screened pass.
   * @param row index of the row, below `rows`.
   * @param rows number of rows of logits that the pass gave.
   */
  screened(plan: WorkPlan, row: number, rows: number, need: LogitsNeed): Promise<Logits>;
  /** Reads the whole head into memory, for callers that need all logits. Reads the file once. */
  makeWhole(): Promise<void>;
}

/**
 * @param parts.model the model as the threads have it.
 * @param parts.replace gives the threads a changed model.
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
  const screened =
    screen === undefined ? undefined : createScreenedHead(screen, memories, packing, description);
  let whole: Promise<void> | undefined;

  async function readWhole(): Promise<void> {
    const head = await packMatrix(packing, description.head, model().headRegion);
    const tied = description.head === description.embedding;
    parts.replace({ ...model(), head, ...(tied && { embedding: head }) });
  }

  return {
    canScreen: (need) =>
      screened !== undefined && need !== "all" && screensLargest(model().sizes.vocabSize, need.count),
    async embed(plan, tokens): Promise<void> {
      if (screened === undefined || model().embedding !== undefined) return;
      await screened.embeddings.widen(tokens, workOf(plan, model().embeddingRegion).x.address);
    },
    async screened(plan, row, rows, need): Promise<Logits> {
      if (screened === undefined || need === "all") throw new Error("not screened");
      const { screening, cols } = screened;
      const { region, cols: vocabSize } = plan.logits;
      // The head is a pass's last operation, so its input is still in the buffer.
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

function createScreenedHead(
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
