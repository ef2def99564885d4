// Int8 rows × 14-bit activations. Four rows at a time meet each token. The layout and the shared parts are in
// tiles/int8-rows.

import { Address } from "../address";
import { addProducts, finish, multiplyRows } from "../tiles/int8-rows";

/** All of [rowBegin, rowEnd) × tokens; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  weights: usize,
  records: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: usize,
  scales: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  const quarter = (rowEnd - rowBegin) >> 2;
  for (let row: usize = 0; row < quarter; ++row) {
    const r0 = rowBegin + row;
    for (let t: usize = 0; t < tokens; ++t) {
      const s = <f64>load<f32>(scales + (t << 2));
      let u = x + t * (cols << 1);
      let w0 = weights + r0 * cols;
      let w1 = w0 + quarter * cols;
      let w2 = w1 + quarter * cols;
      let w3 = w2 + quarter * cols;
      let h0 = i32x4.splat(0);
      let h1 = h0;
      let h2 = h0;
      let h3 = h0;
      let l0 = h0;
      let l1 = h0;
      let l2 = h0;
      let l3 = h0;
      const end = u + cols;
      for (; u < end; u += 16) {
        const high = v128.load(u);
        const low = v128.load(u + cols);
        const v0 = v128.load(w0);
        h0 = addProducts<F>(h0, v0, high);
        l0 = addProducts<F>(l0, v0, low);
        const v1 = v128.load(w1);
        h1 = addProducts<F>(h1, v1, high);
        l1 = addProducts<F>(l1, v1, low);
        const v2 = v128.load(w2);
        h2 = addProducts<F>(h2, v2, high);
        l2 = addProducts<F>(l2, v2, low);
        const v3 = v128.load(w3);
        h3 = addProducts<F>(h3, v3, high);
        l3 = addProducts<F>(l3, v3, low);
        w0 += 16;
        w1 += 16;
        w2 += 16;
        w3 += 16;
      }
      const to = y + t * yStride + (r0 << 2);
      const record = records + (r0 << 3);
      finish(to, h0, l0, record, s, scale, accumulate);
      finish(to + (quarter << 2), h1, l1, record + (quarter << 3), s, scale, accumulate);
      finish(to + (quarter << 3), h2, l2, record + (quarter << 4), s, scale, accumulate);
      finish(to + quarter * 12, h3, l3, record + quarter * 24, s, scale, accumulate);
    }
  }
  // prettier-ignore
  multiplyRows<F>(
    weights, records, cols, rowBegin + (quarter << 2), rowEnd, x, scales, tokens, y, yStride, scale, accumulate,
  );
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) · scale                  for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · records [rows] · X [tokens] of quantize_activations_i14 · s [tokens] at scales ·
 *           y [tokens, rows] every yStride bytes
 * Types     W int8-rows · X two planes of u8 · s f32 · y f32
 * Requires  cols % 16 == 0 · 16-byte aligned · y overlaps nothing
 * Range     cols ≤ 2¹⁷, so that a plane's sum fits i32
 * Exact     integer sums bit-identical in every form, build and split; then two f64 roundings and two of f32
 * Splits    by rows or tokens
 */
export function matmul_i8_i14_dot_i8(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmul<i8>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scale, accumulate);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_i8_i14_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_i8_i14_dot_i16(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i16>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scale, accumulate);
}

/**
 * Contract as matmul_i8_i14_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_i8_i14_dot_i32(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmul<i32>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scale, accumulate);
}
