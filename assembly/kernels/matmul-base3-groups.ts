// Base-3 weights with a scale per 256 × int8 activations in groups of 128: how ranges of rows are cut into
// tiles, as in matmul-ternary-groups. Rows are outermost, so that weights are read once for all tokens. The
// sums are those of tiles/ternary-groups, the tiles are in generated/base3-group-tiles.

import { Address } from "../address";
import {
  PREFILL_ROWS,
  PREFILL_TOKENS,
  decodeRow,
  decodeTile,
  prefillTile,
} from "../generated/base3-group-tiles";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS } from "../simd/base3";
import { groupBytes } from "../tiles/ternary-groups";
import { wholeTiles } from "../tiles/whole-tiles";

/** All of [rowBegin, rowEnd) × tokens in form F; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  weights: usize,
  scales: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const groups = cols >> 7;
  const rowBytes = ((cols + BASE3_BLOCK_COLS - 1) / BASE3_BLOCK_COLS) * BASE3_BLOCK_BYTES;
  const scaleBytes = groups;
  const recordBytes = groupBytes(groups) << 1;
  const rows = rowEnd - rowBegin;
  const streamRows = rows / PREFILL_ROWS;
  const streamBytes = streamRows * rowBytes;
  const streamScaleBytes = streamRows * scaleBytes;
  const w = weights + rowBegin * rowBytes;
  const c = scales + rowBegin * scaleBytes;
  const out = y + (rowBegin << 2);
  const grouped = wholeTiles(tokens, PREFILL_TOKENS);

  // prettier-ignore
  for (let row: usize = 0; row < streamRows; ++row) {
    const w0 = w + row * rowBytes;
    const c0 = c + row * scaleBytes;
    const to = out + (row << 2);
    for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
      prefillTile<F>(w0, streamBytes, c0, streamScaleBytes, groups, activations + t * cols, cols, records + t * recordBytes, to + t * yStride, streamRows, yStride, scratch, scale, accumulate);
    }
    for (let t = grouped; t < tokens; ++t) {
      decodeTile<F>(w0, streamBytes, c0, streamScaleBytes, groups, activations + t * cols, records + t * recordBytes, to + t * yStride, streamRows, scratch, scale, accumulate);
    }
  }
  for (let row = streamRows * PREFILL_ROWS; row < rows; ++row) {
    for (let t: usize = 0; t < tokens; ++t) {
      // prettier-ignore
      decodeRow<F>(w + row * rowBytes, c + row * scaleBytes, groups, activations + t * cols, records + t * recordBytes, out + (row << 2) + t * yStride, scratch, scale, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= d · Σ_g (c[r, g] · s[t, g]) · (Σₖ W[r, k] · X[t, k] in g)
 *                                                              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * The bytes of matmul_ternary_groups128_i8_* for the same weights and scales.
 *
 * Shapes    W [rows, cols], rows of whole blocks, and 96 more bytes that may hold anything · c [rows, cols /
 *           256] · X [tokens, cols], and 639 more bytes that may hold anything · records [tokens] of {s
 *           [cols / 128], Σ X [cols / 128]}, as quantize_activations_groups leaves them · y [tokens, rows]
 *           every yStride bytes
 * Types     W base3-groups · c halves · s f32 · X i8 · Σ X i32 · y f32 · d = scale · groups of 128
 * Requires  cols % 256 == 0 · W, records 16-byte aligned · scratch groupScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     digits of 0 after the last column · c finite
 * Exact     a group's sum is an exact integer; then f32 as in matmul_ternary_groups128_i8_*. Bit-identical in
 *           every form, build and split, and to test/reference
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_base3_groups_i8_dot_i8(
  weights: Address,
  scales: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_base3_groups_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_base3_groups_i8_dot_i16(
  weights: Address,
  scales: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
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
  matmul<i16>(weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_base3_groups_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_base3_groups_i8_dot_i32(
  weights: Address,
  scales: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
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
  matmul<i32>(weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}
