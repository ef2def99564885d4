import { Address } from "../address";
import { horizontalMax, larger, sumLanesI32 } from "../simd/lanes";

/** The smallest maximum that a row is scaled by: a row of zeros must not divide by zero. */
// @ts-ignore: decorator
@inline
const ABSMAX_FLOOR: f32 = 1e-5;

/**
 * s[t] = 127 / max(maxₖ |x[t, k]|, 1e-5);  q[t, k] = clamp(roundHalfEven(x[t, k] · s[t]), −128, 127)
 * q[t, k] = 0 from cols to whole blocks of 128, where ternary-rows have zero weights
 *
 * Shapes    x [tokens, cols] every inputStride bytes · q [tokens, whole blocks] every outputStride bytes ·
 *           records [tokens]
 * Types     x f32 · q i8 · record {s: f32, Σₖ q[t, k]: i32}
 * Requires  cols % 16 == 0 · 16-byte aligned rows · q overlaps nothing
 * Range     x finite; |Σ q| ≤ 128·cols
 * Exact     bit-identical in every build: a maximum has no order, the rest is one rounding each
 * Splits    by tokens
 */
export function quantize_activations_i8(
  x: Address,
  cols: usize,
  tokens: usize,
  inputStride: usize,
  q: Address,
  outputStride: usize,
  records: Address,
): void {
  const whole = (cols + 127) & ~127;
  for (let t: usize = 0; t < tokens; ++t) {
    let largest = f32x4.splat(0);
    for (let k: usize = 0; k < cols << 2; k += 64) {
      const a = larger(f32x4.abs(v128.load(x + k)), f32x4.abs(v128.load(x + k, 16)));
      const b = larger(f32x4.abs(v128.load(x + k, 32)), f32x4.abs(v128.load(x + k, 48)));
      largest = larger(largest, larger(a, b));
    }
    const scale: f32 = 127 / max(horizontalMax(largest), ABSMAX_FLOOR);
    const s = f32x4.splat(scale);
    let sums = i32x4.splat(0);
    for (let k: usize = 0; k < cols; k += 16) {
      const from = x + (k << 2);
      const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), s)));
      const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 16), s)));
      const c = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 32), s)));
      const d = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 48), s)));
      // Narrowing saturates, which is the clamp.
      const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
      v128.store(q + k, bytes);
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes)));
    }
    memory.fill(q + cols, 0, whole - cols);
    store<f32>(records, scale);
    store<i32>(records, sumLanesI32(sums), 4);
    x += inputStride;
    q += outputStride;
    records += 8;
  }
}
