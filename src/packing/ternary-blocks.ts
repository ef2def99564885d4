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

/** Bytes of a row in base 3, in whole blocks of 160 weights = 32 bytes. */
export function base3RowBytes(cols: number): number {
  return Math.ceil(cols / 160) * 32;
}

/**
 * Whether base 3 makes rows of this length smaller. Whole blocks of 160 cost short rows as much as it saves.
 */
export function base3Saves(cols: number): boolean {
  return base3RowBytes(cols) < codeRowBytes(cols);
}

/** Bytes of a row's halves: a scale per 256 weights. */
export function halfScaleBytes(cols: number): number {
  return Math.ceil(cols / 256) * 2;
}

/**
 * Bytes after the weights and after the input of base-3 matmuls, which read in steps of up to 640 weights.
 */
export const base3Slack = { weights: 96, values: 640 } as const;
