import type { Kernels } from "../../wasm/kernels.js";
import type { InputFormat } from "../input-formats.js";
import type { PackedMatrix } from "../packed.js";
import type { PackingGoal } from "../packing.js";
import { base3Groups, base3Rows } from "./base3.js";
import { affineLayouts } from "./affine.js";
import { bf16Rows } from "./bf16-rows.js";
import { f16Rows } from "./f16-rows.js";
import { f32Rows } from "./f32-rows.js";
import { int8Rows } from "./int8-rows.js";
import type { Layout } from "./layout.js";
import { ternaryGroups128, ternaryGroups64 } from "./ternary-groups.js";
import { ternaryRows } from "./ternary-rows.js";

const fastLayouts: readonly Layout[] = [
  ternaryRows,
  ternaryGroups128,
  ternaryGroups64,
  ...affineLayouts,
  int8Rows,
  f16Rows,
  bf16Rows,
  f32Rows,
];

/** By goal: the first layout with a packer for a weight format gets its tensors. */
export const layoutsFor: Readonly<Record<PackingGoal, readonly Layout[]>> = {
  fast: fastLayouts,
  small: [base3Rows, base3Groups, ...fastLayouts],
};

/** Every layout that kernels read. */
export const layouts: readonly Layout[] = layoutsFor.small;

const byName: ReadonlyMap<string, Layout> = new Map(layouts.map((layout) => [layout.name, layout]));

/** The layout of a matrix. */
export function layoutOf({ layout: name }: Pick<PackedMatrix, "layout">): Layout {
  const layout = byName.get(name);
  if (layout === undefined) throw new RangeError(`no layout "${name}"`);
  return layout;
}

/** Bytes of a packed matrix with its records. */
export function matrixBytes(matrix: Pick<PackedMatrix, "layout" | "rows" | "cols">): number {
  const { weightBytes, recordBytes, rowsTogether = 1 } = layoutOf(matrix);
  return (
    Math.ceil(matrix.rows / rowsTogether) *
    rowsTogether *
    (weightBytes(matrix.cols) + recordBytes(matrix.cols))
  );
}

/** Bytes of matrices by the name of their layout. */
export function bytesByLayout(matrices: Iterable<PackedMatrix>): Readonly<Record<string, number>> {
  const bytes: Record<string, number> = {};
  for (const matrix of matrices) bytes[matrix.layout] = (bytes[matrix.layout] ?? 0) + matrixBytes(matrix);
  return bytes;
}

/** The input formats of some matrices, each once. */
export function inputFormatsOf(matrices: Iterable<PackedMatrix>): ReadonlySet<InputFormat> {
  const formats = new Set<InputFormat>();
  for (const matrix of matrices) {
    const { inputFormat } = layoutOf(matrix);
    if (inputFormat !== undefined) formats.add(inputFormat);
  }
  return formats;
}

/** Writes one row of a matrix as f32 [cols] to `outputAddress` of the matrix's region. */
export function readRow(kernels: Kernels, matrix: PackedMatrix, row: number, outputAddress: number): void {
  layoutOf(matrix).readRow(kernels, matrix, row, outputAddress);
}
