import type { MatrixRole, ModelDescription } from "../architectures/index.js";
import { packMatrix, type Packing, requireTensor } from "../packing/pack.js";
import type { HeadScreen } from "../packing/screen.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Memories } from "../wasm/memory.js";
import { createFileRows, type FileRows } from "./file-rows.js";
import type { Model } from "./model.js";
import { createScreening, type LogitsNeed, type Screening } from "./screening.js";
import { type SessionPlan, workOf } from "./session-plan.js";

/**
 * What the caller's thread does about embeddings and logits while the output head is screened. A head that is whole in memory
 * from the start needs none of this.
 */
export interface OutputHead {
  /** Whether logits that were asked for can be had from the screen. */
  canScreen(need: LogitsNeed): boolean;
  /** Fills the residual stream with the tokens' embeddings, if those are not in memory. */
  embed(plan: SessionPlan, tokens: readonly number[]): Promise<void>;
  /** After a pass by the screen: exact logits where they matter, −Infinity elsewhere. */
  screened(plan: SessionPlan, need: LogitsNeed): Promise<Float32Array>;
  /** Has the whole head in memory from then on: for those who want all logits. Reads the file once. */
  makeWhole(): Promise<void>;
}

/** The most candidates that are looked up row by row; above it, all logits are as quick. */
const mostCandidates = 512;

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
    canScreen: (need) => helpers !== undefined && need !== "all" && need.count <= mostCandidates,
    async embed(plan, tokens): Promise<void> {
      if (helpers === undefined || model().embedding !== undefined) return;
      await helpers.embeddings.widen(tokens, workOf(plan, model().embeddingRegion).x.address);
    },
    async screened(plan, need): Promise<Float32Array> {
      if (helpers === undefined || need === "all") throw new Error("not screened");
      const region = model().headRegion;
      // Member 0 normalizes the last token for itself, like every member.
      const address = workOf(plan, region).own[0]?.normed ?? 0;
      return helpers.screening.exact(plan.logits, { region, address }, need);
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
): { readonly screening: Screening; readonly embeddings: FileRows } {
  const { region, cols } = screen.matrix;
  const kernels = (): Kernels => packing.kernels(region);
  const rowsOf = (role: MatrixRole): FileRows =>
    createFileRows({ tensor: requireTensor(packing.file, role.tensor), cols, region, memories, kernels });
  const rows = rowsOf(description.head);
  const embeddings = description.embedding === description.head ? rows : rowsOf(description.embedding);
  return { screening: createScreening(memories, kernels, screen, rows), embeddings };
}
