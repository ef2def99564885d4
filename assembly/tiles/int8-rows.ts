// Shared parts of the matmuls of int8 rows (kernels/matmul-int8 and -pairs). They give approximate logits,
// which screen the output head (docs/NUMERICS.md).
//
// Layout "int8-rows": [rows, cols] i8 with weight = i8 · scale[row], and a record {f32 scale, i32 Σ i8} per
// row. Activations are 14-bit numbers u = x·s + 8192 in two planes of 7 bits, u = 128 · h + l, because an
// operand of the relaxed dot product must be below 128. Then
//
//   Σ w·x·s = 128 · Σ w·h + Σ w·l − 8192 · Σ w
//
// So the error of an output comes from the int8 weights and hardly from the input.

import { sumLanesI32 } from "../simd/lanes";

/**
 * sums + Σ w·u over 16 bytes, w signed and u below 128, in dot form F (simd/dot). A pair is within ±2 · 128 ·
 * 127, inside 16 bits.
 */
// @ts-ignore: decorator
@inline
export function addProducts<F>(sums: v128, w: v128, u: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (sizeof<F>() == 4) return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, u, sums);
    if (sizeof<F>() == 2) return i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(v128.relaxed_dot<i16>(w, u)));
  }
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(w), i16x8.extend_low_i8x16_s(u));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(w), i16x8.extend_high_i8x16_s(u));
  return i32x4.add(sums, i32x4.add(low, high));
}

/** y = (128 · high + low − 8192 · Σ w) / s · scale[row] · scale, added to y if asked. */
// @ts-ignore: decorator
@inline
export function finish(
  y: usize,
  high: v128,
  low: v128,
  record: usize,
  s: f64,
  scale: f32,
  accumulate: bool,
): void {
  const sum = ((<i64>sumLanesI32(high)) << 7) + <i64>sumLanesI32(low) - ((<i64>load<i32>(record, 4)) << 13);
  const value = <f32>((<f64>sum / s) * <f64>load<f32>(record)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** Rows begin … end − 1 one by one, for all tokens. */
// @ts-ignore: decorator
@inline
export function multiplyRows<F>(
  weights: usize,
  records: usize,
  cols: usize,
  begin: usize,
  end: usize,
  x: usize,
  scales: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  for (let r = begin; r < end; ++r) {
    for (let t: usize = 0; t < tokens; ++t) {
      const u = x + t * (cols << 1);
      const w = weights + r * cols;
      let high = i32x4.splat(0);
      let low = high;
      for (let k: usize = 0; k < cols; k += 16) {
        const v = v128.load(w + k);
        high = addProducts<F>(high, v, v128.load(u + k));
        low = addProducts<F>(low, v, v128.load(u + cols + k));
      }
      const s = <f64>load<f32>(scales + (t << 2));
      finish(y + t * yStride + (r << 2), high, low, records + (r << 3), s, scale, accumulate);
    }
  }
}
