import type { PackedMatrix } from "../packing/packed.js";
import { type Kernels, listedTernaryKernel, type TernaryForm } from "../wasm/kernels.js";
import type { Place } from "../wasm/memory.js";

/** Whether products leave out what zeros make useless: where it is measured to be faster, always, or never. */
export type Sparsity = "auto" | "on" | "off";

/** A decision between a dense and a sparse product, made anew for each call. */
interface Choice {
  /** Whether `listed` of `total` is few enough. */
  prefersSparse(listed: number, total: number): boolean;
  /** Tells how long one took, in milliseconds. */
  dense(total: number, milliseconds: number): void;
  sparse(listed: number, milliseconds: number): void;
}

/** Every so many calls the way not taken is tried again. */
const tryAgainAfter = 64;
/** An estimate grows by so much a call, so that what was once measured in a quiet moment is not believed for ever. */
const growth = 1.01;
/** A call takes some time however little it has to do: in listed rows or columns. */
const overhead = 16;

/**
 * Learns what a dense element and a listed one cost on this thread, from the least that calls take. What it decides changes
 * when something is computed, never what.
 */
export function createChoice(sparsity: Sparsity): Choice {
  let denseCost = 0;
  let sparseCost = 0;
  let calls = 0;
  const learn = (known: number, cost: number): number =>
    known === 0 ? cost : Math.min(known * growth, cost);
  return {
    prefersSparse(listed, total): boolean {
      if (sparsity !== "auto") return sparsity === "on";
      calls += 1;
      // Turns at first, while the engine optimises both; each is tried on many layers.
      if (calls <= tryAgainAfter) return calls % 2 === 0;
      const sparse = sparseCost * (listed + overhead) < denseCost * total;
      return calls % tryAgainAfter === 0 ? !sparse : sparse;
    },
    dense(total, milliseconds): void {
      denseCost = learn(denseCost, milliseconds / total);
    },
    sparse(listed, milliseconds): void {
      sparseCost = learn(sparseCost, milliseconds / (listed + overhead));
    },
  };
}

/** What products of one token need besides the matrix. */
export interface SparseOperands {
  readonly kernels: Kernels;
  /** i8 [cols] and its record. */
  readonly quantized: number;
  readonly record: number;
  readonly output: number;
  /** The member's own: `sparseScratchBytes`. */
  readonly scratch: number;
}

/** Rows of a column product come in blocks. */
export const columnGranule = 128;

/** Bytes for the list of a product's rows or columns, and for the sums of its rows. */
export function sparseScratchBytes(width: number, feedForward: number): number {
  return feedForward * 4 + 16 + width * 6;
}

/** W · x at those of the rows from begin to end where `gate` is positive, for which it is left as a list; false if not worth it. */
export function multiplyListedRows(
  operands: SparseOperands,
  choice: Choice,
  form: TernaryForm,
  matrix: PackedMatrix,
  gate: number,
  [begin, end]: readonly [number, number],
  productScratch: number,
): boolean {
  const { kernels, quantized, record, output, scratch } = operands;
  const listed = kernels.list_positive(gate, begin, end, scratch);
  if (!choice.prefersSparse(listed, end - begin)) return false;
  const started = performance.now();
  const { address, cols, scale } = matrix;
  // prettier-ignore
  listedTernaryKernel(kernels, form)(
    address, cols, scratch, listed, quantized, record, output, productScratch, scale,
  );
  choice.sparse(listed, performance.now() - started);
  return true;
}

/** out += W · x by the columns of a transposed W where x is not zero, for the rows from begin to end; false if not worth it. */
export function addListedColumns(
  operands: SparseOperands,
  choice: Choice,
  matrix: PackedMatrix,
  columns: Place,
  [begin, end]: readonly [number, number],
): boolean {
  const { kernels, quantized, record, output, scratch } = operands;
  const { rows, cols, scale } = matrix;
  const listed = kernels.list_nonzero(quantized, cols, scratch);
  if (!choice.prefersSparse(listed, cols)) return false;
  const started = performance.now();
  const sums = scratch + cols * 4;
  // prettier-ignore
  kernels.matmul_ternary_columns_i8(
    columns.address, rows, begin, end, quantized, scratch, listed, record, output, sums, scale, 1,
  );
  choice.sparse(listed, performance.now() - started);
  return true;
}
