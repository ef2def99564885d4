// Base-3 rows × int8 activations. Ranges and lists of rows are cut into tiles as in matmul-ternary, and sums
// end as in tiles/ternary-rows. The digits are those of simd/base3, the tiles are in generated/base3-tiles.

import { Address } from "../address";
import {
  DECODE_ROWS,
  PREFILL_ROWS,
  PREFILL_TOKENS,
  decodeRow,
  decodeTile,
  prefillRow,
  prefillTile,
} from "../generated/base3-tiles";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS } from "../simd/base3";
import { RECORD_BYTES } from "../tiles/ternary-rows";
import { wholeTiles } from "../tiles/whole-tiles";

/** Blocks of a row: the last one may be filled up. */
// @ts-ignore: decorator
@inline
function blocksOf(cols: usize): usize {
  return (cols + BASE3_BLOCK_COLS - 1) / BASE3_BLOCK_COLS;
}

/** All of [rowBegin, rowEnd) × tokens in form F; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const blocks = blocksOf(cols);
  const rowBytes = blocks * BASE3_BLOCK_BYTES;
  const rows = rowEnd - rowBegin;
  const w = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);
  const grouped = wholeTiles(tokens, PREFILL_TOKENS);

  if (grouped > 0) {
    const streamRows = rows / PREFILL_ROWS;
    const streamBytes = streamRows * rowBytes;
    for (let row: usize = 0; row < streamRows; ++row) {
      for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
        const x = activations + t * activationStride;
        const record = records + t * RECORD_BYTES;
        const to = out + (row << 2) + t * yStride;
        // prettier-ignore
        prefillTile<F>(w + row * rowBytes, streamBytes, blocks, x, activationStride, record, to, streamRows, yStride, scratch, scale, accumulate);
      }
    }
    for (let row = streamRows * PREFILL_ROWS; row < rows; ++row) {
      for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
        const x = activations + t * activationStride;
        const record = records + t * RECORD_BYTES;
        const to = out + (row << 2) + t * yStride;
        // prettier-ignore
        prefillRow<F>(w + row * rowBytes, blocks, x, activationStride, record, to, yStride, scratch, scale, accumulate);
      }
    }
  }
  const streamRows = rows / DECODE_ROWS;
  const streamBytes = streamRows * rowBytes;
  const apart = streamRows << 2;
  for (let token = grouped; token < tokens; ++token) {
    const x = activations + token * activationStride;
    const record = records + token * RECORD_BYTES;
    const to = out + token * yStride;
    for (let row: usize = 0; row < streamRows; ++row) {
      const w0 = w + row * rowBytes;
      const y0 = to + (row << 2);
      // prettier-ignore
      decodeTile<F>(w0, w0 + streamBytes, w0 + 2 * streamBytes, w0 + 3 * streamBytes, blocks, x, record, y0, y0 + apart, y0 + 2 * apart, y0 + 3 * apart, scratch, scale, accumulate);
    }
    for (let row = streamRows * DECODE_ROWS; row < rows; ++row) {
      decodeRow<F>(w + row * rowBytes, blocks, x, record, to + (row << 2), scratch, scale, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) / s[t] · d              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * The bytes of matmul_ternary_i8_* for the same weights.
 *
 * Shapes    W [rows, cols], rows of whole blocks · X [tokens, cols] every activationStride bytes, and 159
 *           more bytes that may hold anything · y [tokens, rows] every yStride bytes
 * Types     W base3-rows · X i8 · records {s: f32, Σₖ X[t, k]: i32} per token · y f32 · d = scale
 * Requires  W 16-byte aligned · scratch ternaryScratchBytes of the caller's own (src/wasm/kernels) · nothing
 *           else overlaps y
 * Range     digits of 0 after the last column · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are three
 *           roundings
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_base3_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(weights, cols, rowBegin, rowEnd, activations, activationStride, records, tokens, y, yStride, scratch, scale, accumulate);
}

/** One token and the rows of a list: a tile takes its four rows from four parts of the list. */
// @ts-ignore: decorator
@inline
function matmulListed<F>(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  const blocks = blocksOf(cols);
  const rowBytes = blocks * BASE3_BLOCK_BYTES;
  const quarterBytes = (count >> 2) << 2;
  let at = list;
  for (const end = list + quarterBytes; at < end; at += 4) {
    const r0: usize = load<u32>(at);
    const r1: usize = load<u32>(at + quarterBytes);
    const r2: usize = load<u32>(at + 2 * quarterBytes);
    const r3: usize = load<u32>(at + 3 * quarterBytes);
    // prettier-ignore
    decodeTile<F>(
      weights + r0 * rowBytes, weights + r1 * rowBytes, weights + r2 * rowBytes, weights + r3 * rowBytes, blocks, x, record,
      y + (r0 << 2), y + (r1 << 2), y + (r2 << 2), y + (r3 << 2), scratch, scale, false,
    );
  }
  at = list + (quarterBytes << 2);
  for (const end = list + (count << 2); at < end; at += 4) {
    const row: usize = load<u32>(at);
    decodeRow<F>(weights + row * rowBytes, blocks, x, record, y + (row << 2), scratch, scale, false);
  }
}

/**
 * y[r] = (Σₖ W[r, k] · x[k]) / s · d                          for the rows r of a list
 *
 * The bytes of matmul_base3_i8_*, for one token and without the other rows.
 *
 * Shapes    W [rows, cols], rows of whole blocks · list [count] · x [cols], and 159 more bytes that may hold
 *           anything · y [rows]
 * Types     W base3-rows · list u32, no row twice · x i8 · record {s: f32, Σₖ x[k]: i32} · y f32 · d = scale
 * Requires  W 16-byte aligned · scratch ternaryScratchBytes of the caller's own (src/wasm/kernels) · nothing
 *           else overlaps y
 * Range     digits of 0 after the last column · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are two
 *           roundings
 * Splits    by parts of the list
 */
export function matmul_base3_listed_i8_dot_i8(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  matmulListed<i8>(weights, cols, list, count, x, record, y, scratch, scale);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_base3_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_base3_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(weights, cols, rowBegin, rowEnd, activations, activationStride, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_base3_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_base3_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(weights, cols, rowBegin, rowEnd, activations, activationStride, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_base3_listed_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_base3_listed_i8_dot_i16(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i16>(weights, cols, list, count, x, record, y, scratch, scale);
}

/**
 * Contract as matmul_base3_listed_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_base3_listed_i8_dot_i32(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i32>(weights, cols, list, count, x, record, y, scratch, scale);
}
