import type { LayerDescription, MatrixRole, ModelDescription } from "../architectures/description.js";
import type { ModelFile } from "../files/model-file.js";
import type { ColumnMatmuls } from "../packing/layouts/layout.js";
import { columnMatmulsOf, packedBytes } from "../packing/pack.js";
import type { PackingGoal } from "../packing/packing.js";
import { canScreen, screenBytes } from "../packing/screen.js";
import { maxRegionBytes } from "../wasm/memory.js";
import { projectionsOf, type Sparsity } from "./model.js";

/** Choices that decide the bytes of a model's matrices. */
export interface WeightWishes {
  /** Keep the whole output head in memory, or a compact screen of it and read its rows from the file. */
  readonly head: "auto" | "whole" | "screened";
  /** Unless "off", a copy of `down` by columns is made where its inputs may be zero. */
  readonly sparsity: Sparsity;
  /** The goal that layouts are chosen by. */
  readonly goal: PackingGoal;
}

/** Bytes of a model's matrices in memory, known before the first byte of them is read. */
export interface WeightPlan {
  readonly layerBytes: readonly number[];
  /**
   * The part of `layerBytes` for copies by columns (graph/sparse-matmuls): an upper bound. A matrix in a
   * format of groups gets its copy only if all its groups have one scale.
   */
  readonly columnBytes: readonly number[];
  /** The output head, or its screen. */
  readonly headBytes: number;
  readonly screened: boolean;
  /** Whether the embedding is the head. */
  readonly tied: boolean;
  /** 0 if the embedding is the head, or if its rows are read from the file. */
  readonly embeddingBytes: number;
  readonly bytes: number;
}

/**
 * The part of a memory that may be planned for weights and one KV cache. Tables and working buffers get the
 * rest.
 */
export const plannedFraction = 0.9;
/**
 * "auto" screens heads from this size: smaller ones are quick to read whole, and reading single rows costs
 * more.
 */
const screenedHeadBytes = 64 << 20;

/** @param bytesOf bytes of a matrix in its layout. Default: those of its packer. */
export function planWeights(
  file: ModelFile,
  description: ModelDescription,
  wishes: WeightWishes,
  bytesOf = (role: MatrixRole): number => packedBytes(file, role, wishes.goal),
): WeightPlan {
  const { head, embedding, layers } = description;
  const columnBytes = layers.map(
    ({ down: { matrix } }) => columnMatmuls(file, description, wishes, matrix)?.bytes(matrix) ?? 0,
  );
  const layerBytes = layers.map(
    (layer, index) => sum(matrixRolesOf(layer).map(bytesOf)) + (columnBytes[index] ?? 0),
  );
  const tied = head === embedding;
  const screened = wantsScreen(file, wishes.head, description);
  const headBytes = screened ? screenBytes(head) : bytesOf(head);
  const embeddingBytes = screened || tied ? 0 : bytesOf(embedding);
  const bytes = sum(layerBytes) + headBytes + embeddingBytes;
  return { layerBytes, columnBytes, headBytes, screened, tied, embeddingBytes, bytes };
}

/**
 * The matmuls over a matrix's columns; undefined if it cannot have a copy by columns, or has no use for it.
 */
function columnMatmuls(
  file: ModelFile,
  { gate }: ModelDescription,
  { goal, sparsity }: WeightWishes,
  matrix: MatrixRole,
): ColumnMatmuls | undefined {
  if (gate !== "relu2" || sparsity === "off") return undefined;
  const columns = columnMatmulsOf(file, matrix, goal);
  return columns?.takes(matrix) ? columns : undefined;
}

/** Whether the output head will be screened. */
export function wantsScreen(
  file: ModelFile,
  wanted: WeightWishes["head"],
  { head, embedding }: ModelDescription,
): boolean {
  const large = head.rows * head.cols * 2 >= screenedHeadBytes;
  // With a screened head, the rows of a separate embedding come from the file as well, by the same kernels.
  const readable = [head, embedding].every((role) => canScreen(file.tensors.get(role.tensor), role));
  return (wanted === "screened" || (wanted === "auto" && large)) && readable;
}

/** The matrices of a block, in order of use. */
export function matrixRolesOf(layer: LayerDescription): readonly MatrixRole[] {
  return projectionsOf(layer).map(({ matrix }) => matrix);
}

/**
 * Chooses the region of each part of a model: the current one while it has room, else a new one.
 * @param addRegion adds a region and returns its index; region 0 exists.
 * @param regionBytes maximum bytes of a region. Default: 4 GiB.
 */
export function createPlacer(
  addRegion: () => number,
  regionBytes: number = maxRegionBytes,
): (bytes: number) => number {
  const limit = regionBytes * plannedFraction;
  let region = 0;
  let filled = 0;
  return (bytes) => {
    if (filled > 0 && filled + bytes > limit) {
      region = addRegion();
      filled = 0;
    }
    filled += bytes;
    return region;
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
