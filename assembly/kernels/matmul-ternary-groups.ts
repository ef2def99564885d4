// Ternary weights in groups × int8 activations in groups: how ranges of rows are cut into tiles. Rows are
// outermost, so that weights are read once for all tokens.
//
//   for each tile of rows:    for each tile of tokens: prefill tile;  for each token left over: decode tile
//   for each row left over:   for each token: one row
//
// The layout and its sums are in tiles/ternary-groups, the tiles in generated/ternary-group-tiles.

import { Address } from "../address";
import {
  PREFILL_ROWS,
  PREFILL_TOKENS,
  decodeRow,
  decodeTile,
  prefillTile,
} from "../generated/ternary-group-tiles";
import { BLOCK_BYTES, BLOCK_COLS } from "../simd/dot";
import { wholeTiles } from "../tiles/whole-tiles";
import { groupBytes } from "../tiles/ternary-groups";

/**
 * All of [rowBegin, rowEnd) × tokens in form F; the contract is that of the exports. `halved`: groups of 64.
 */
// @ts-ignore: decorator
@inline
export function matmul<F>(
  halved: bool,
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
  const blocks = (cols + BLOCK_COLS - 1) / BLOCK_COLS;
  const groups = halved ? blocks << 1 : blocks;
  const rowBytes = blocks * BLOCK_BYTES;
  const scaleBytes = groupBytes(groups);
  const activationBytes = blocks * BLOCK_COLS;
  const recordBytes = scaleBytes << 1;
  const rows = rowEnd - rowBegin;
  const streamRows = rows / PREFILL_ROWS;
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
      const x = activations + t * activationBytes;
      const record = records + t * recordBytes;
      prefillTile<F>(halved, w0, streamRows * rowBytes, c0, streamRows * scaleBytes, groups, x, activationBytes, record, to + t * yStride, streamRows, yStride, scratch, scale, accumulate);
    }
    if (PREFILL_TOKENS == 2) {
      // Pairs leave one token at most, which needs no loop.
      if (tokens & 1) {
        const x = activations + grouped * activationBytes;
        const record = records + grouped * recordBytes;
        decodeTile<F>(halved, w0, streamRows * rowBytes, c0, streamRows * scaleBytes, groups, x, record, to + grouped * yStride, streamRows, scratch, scale, accumulate);
      }
    } else {
      for (let t = grouped; t < tokens; ++t) {
        const x = activations + t * activationBytes;
        const record = records + t * recordBytes;
        decodeTile<F>(halved, w0, streamRows * rowBytes, c0, streamRows * scaleBytes, groups, x, record, to + t * yStride, streamRows, scratch, scale, accumulate);
      }
    }
  }
  for (let row = streamRows * PREFILL_ROWS; row < rows; ++row) {
    for (let t: usize = 0; t < tokens; ++t) {
      const x = activations + t * activationBytes;
      const record = records + t * recordBytes;
      // prettier-ignore
      decodeRow<F>(halved, w + row * rowBytes, c + row * scaleBytes, groups, x, record, out + (row << 2) + t * yStride, scratch, scale, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= d · Σ_g (c[r, g] · s[t, g]) · (Σₖ W[r, k] · X[t, k] in g)
 *                                                              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · c [rows, groups] · X [tokens, cols] · records [tokens] of {s [groups], Σ X
 *           [groups]}, as quantize_activations_groups leaves them · y [tokens, rows] every yStride bytes.
 *           Rows of W and X are filled up to whole blocks of 128 columns, those of c, s and Σ X to whole
 *           vectors
 * Types     W ternary-groups · c, s f32 · X i8 · Σ X i32 · y f32 · d = scale · groups of 64
 * Requires  W, c, X, records 16-byte aligned · scratch groupScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     codes 0…3
 * Exact     a group's sum is an exact integer; then f32 in one order: c · s, times the sum, added up in four
 *           series (group g in series g mod 4), (0 + 2) + (1 + 3), times d. Bit-identical in every form,
 *           build and split, and to test/reference
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_ternary_groups64_i8_dot_i8(
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
  matmul<i8>(true, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_ternary_groups64_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in
 * the simd128 build.
 */
export function matmul_ternary_groups64_i8_dot_i16(
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
  matmul<i16>(true, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_ternary_groups64_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in
 * the simd128 build.
 */
export function matmul_ternary_groups64_i8_dot_i32(
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
  matmul<i32>(true, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/** Contract as matmul_ternary_groups64_i8_dot_i8, but with groups of 128. */
export function matmul_ternary_groups128_i8_dot_i8(
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
  matmul<i8>(false, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_ternary_groups64_i8_dot_i8, but with groups of 128, in form i16 of the dot product
 * (simd/dot). Traps in the simd128 build.
 */
export function matmul_ternary_groups128_i8_dot_i16(
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
  matmul<i16>(false, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_ternary_groups64_i8_dot_i8, but with groups of 128, in form i32 of the dot product
 * (simd/dot). Traps in the simd128 build.
 */
export function matmul_ternary_groups128_i8_dot_i32(
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
  matmul<i32>(false, weights, scales, cols, rowBegin, rowEnd, activations, records, tokens, y, yStride, scratch, scale, accumulate);
}
