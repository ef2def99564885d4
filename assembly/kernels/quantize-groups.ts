import { Address } from "../address";
import { horizontalMax, sumLanesI32 } from "../simd/lanes";

/** The smallest maximum that a group is scaled by. Values far below it round to zero. */
// @ts-ignore: decorator
@inline
const ABSMAX_FLOOR: f32 = 1e-30;

/**
 * m = maxₖ |x[t, k]| over a group;  s = m / 127;  q[t, k] = roundHalfEven(x[t, k] · (127 / max(m, 1e-30)))
 *
 * Shapes    x [tokens, cols] every inputStride bytes · q [tokens, cols], rows filled up with zeros to whole
 *           blocks of 128 · records [tokens] of {s [groups], Σ q [groups]}, each filled up with zeros to
 *           whole vectors
 * Types     x, s f32 · q i8 · Σ q i32
 * Requires  cols % 16 == 0 · groupSize 32, 64 or 128 · 16-byte aligned rows · q overlaps nothing
 * Range     x finite; |q| ≤ 127
 * Exact     bit-identical in every build: a maximum has no order, the rest is one rounding each
 * Splits    by tokens
 */
export function quantize_activations_groups(
  x: Address,
  cols: usize,
  groupSize: usize,
  tokens: usize,
  inputStride: usize,
  q: Address,
  records: Address,
): void {
  const paddedCols = (cols + 127) & ~127;
  const valueBytes = ((paddedCols / groupSize + 3) & ~3) << 2;
  for (let t: usize = 0; t < tokens; ++t) {
    memory.fill(records, 0, valueBytes << 1);
    for (let begin: usize = 0, to = records; begin < paddedCols; begin += groupSize, to += 4) {
      const end = min(begin + groupSize, cols);
      let largest4 = f32x4.splat(0);
      for (let k = begin; k < end; k += 16) {
        const from = x + (k << 2);
        const a = f32x4.max(f32x4.abs(v128.load(from)), f32x4.abs(v128.load(from, 16)));
        const b = f32x4.max(f32x4.abs(v128.load(from, 32)), f32x4.abs(v128.load(from, 48)));
        largest4 = f32x4.max(largest4, f32x4.max(a, b));
      }
      const largest = horizontalMax(largest4);
      const s = f32x4.splat(127 / max(largest, ABSMAX_FLOOR));
      let sums = i32x4.splat(0);
      let k = begin;
      for (; k < end; k += 16) {
        const from = x + (k << 2);
        const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), s)));
        const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 16), s)));
        const c = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 32), s)));
        const d = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 48), s)));
        const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
        v128.store(q + k, bytes);
        sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes)));
      }
      for (; k < begin + groupSize; k += 16) v128.store(q + k, i32x4.splat(0));
      store<f32>(to, largest / 127);
      store<i32>(to + valueBytes, sumLanesI32(sums));
    }
    x += inputStride;
    q += paddedCols;
    records += valueBytes << 1;
  }
}
