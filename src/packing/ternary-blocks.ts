import type { GroupSize } from "../wasm/kernels.js";

/** Columns of a ternary row and of its input, rounded up to whole blocks of 128. */
export function wholeBlocks(cols: number): number {
  return Math.ceil(cols / 128) * 128;
}

/** Bytes of a row's two-bit codes, in whole blocks of 128 weights. */
export function codeRowBytes(cols: number): number {
  return wholeBlocks(cols) / 4;
}

/** Bytes of a row's f32 scales: one per group in its whole blocks, rounded up to vectors of four. */
export function groupScaleBytes(cols: number, groupSize: GroupSize): number {
  const groups = Math.ceil(cols / 128) * (128 / groupSize);
  return Math.ceil(groups / 4) * 16;
}
