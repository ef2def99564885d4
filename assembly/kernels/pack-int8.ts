// The operands of matmul-int8: int8 rows from the halves of an output head, and activations of 14 bits.

import { Address } from "../address";
import { IEEE_HALF_UNIT, halfEvens, halfMask, halfOdds } from "../simd/half";
import { horizontalMax, larger, sumLanesF32, sumLanesI32 } from "../simd/lanes";

/**
 * s[t] = 8128 / max(maxₖ |x[t, k]|, 1e-30);  u = roundHalfEven(x[t, k] · s[t]) + 8192
 * h = u >> 7,  l = u & 127
 *
 * Shapes    x [tokens, cols] every inputStride bytes · q [tokens][2][cols]: all h, then all l · s [tokens] at
 *           scales
 * Types     x, s f32 · q u8 below 128
 * Requires  cols % 16 == 0 · 16-byte aligned rows · q and s overlap nothing
 * Range     x finite; u in 64…16320
 * Exact     bit-identical in every build
 * Splits    by tokens
 */
export function quantize_activations_i14(
  x: Address,
  cols: usize,
  tokens: usize,
  inputStride: usize,
  q: Address,
  scales: Address,
): void {
  for (let t: usize = 0; t < tokens; ++t) {
    let largest = f32x4.splat(0);
    for (let k: usize = 0; k < cols << 2; k += 16) largest = larger(largest, f32x4.abs(v128.load(x + k)));
    const scale: f32 = 8128 / max(horizontalMax(largest), <f32>1e-30);
    const s = f32x4.splat(scale);
    const offset = i16x8.splat(8192);
    const low = i16x8.splat(127);
    for (let k: usize = 0; k < cols; k += 16) {
      const from = x + (k << 2);
      const a = i16x8.add(i16x8.narrow_i32x4_s(round4(from, s), round4(from + 16, s)), offset);
      const b = i16x8.add(i16x8.narrow_i32x4_s(round4(from + 32, s), round4(from + 48, s)), offset);
      v128.store(q + k, i8x16.narrow_i16x8_u(i16x8.shr_u(a, 7), i16x8.shr_u(b, 7)));
      v128.store(q + cols + k, i8x16.narrow_i16x8_u(v128.and(a, low), v128.and(b, low)));
    }
    store<f32>(scales, scale);
    x += inputStride;
    q += cols << 1;
    scales += 4;
  }
}

/** Four activations times s, rounded to i32. */
// @ts-ignore: decorator
@inline
function round4(from: usize, s: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), s)));
}

/**
 * w[r, k] = roundHalfEven(x[r, k] / scale[r]),  scale[r] = max(maxₖ |x[r, k]|, 1e-30) / 127
 *
 * IEEE halves become int8-rows, with bounds of the loss.
 *
 * Shapes    x [rows, cols] at halves · w [rows, cols] · records [rows] {scale, Σ w} · bounds [rows]
 *           {≥ ‖x − scale·w‖₂, ≥ ‖x‖₂}
 * Types     halves IEEE halves · w i8 · records {f32, i32} · bounds f32
 * Requires  cols % 16 == 0 · 16-byte aligned · w, records and bounds overlap nothing
 * Range     cols ≤ 2¹⁶ · finite halves
 * Returns   the largest |x| of all rows; 65536 or more if a half was not finite: what was written is then
 *           useless
 * Exact     bit-identical in every build. Norms are summed in f32 and raised by a thousandth, above the loss
 *           of that
 * Splits    by rows; the result is the largest of the parts'
 */
export function pack_halves_i8(
  halves: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  w: Address,
  records: Address,
  bounds: Address,
): f32 {
  const mask = halfMask();
  const unit = f32x4.splat(IEEE_HALF_UNIT);
  const integer = f32x4.splat(INTEGER_BITS);
  let largestOfAll: f32 = 0;
  for (let row = rowBegin; row < rowEnd; ++row) {
    const from = halves + row * (cols << 1);
    const largest = largestHalf(from, cols);
    largestOfAll = max(largestOfAll, largest);
    const scale: f32 = max(largest, <f32>1e-30) / 127;
    const s = f32x4.splat(scale);
    const to = w + row * cols;
    let sums = i32x4.splat(0);
    let lost = f32x4.splat(0);
    let squares = lost;
    for (let k: usize = 0; k < cols; k += 16) {
      const a = v128.load(from + (k << 1));
      const b = v128.load(from + (k << 1), 16);
      const evensA = f32x4.mul(halfEvens(a, mask), unit);
      const oddsA = f32x4.mul(halfOdds(a, mask), unit);
      const evensB = f32x4.mul(halfEvens(b, mask), unit);
      const oddsB = f32x4.mul(halfOdds(b, mask), unit);
      const x0 = i32x4.shuffle(evensA, oddsA, 0, 4, 1, 5);
      const x1 = i32x4.shuffle(evensA, oddsA, 2, 6, 3, 7);
      const x2 = i32x4.shuffle(evensB, oddsB, 0, 4, 1, 5);
      const x3 = i32x4.shuffle(evensB, oddsB, 2, 6, 3, 7);
      const n0 = f32x4.add(f32x4.div(x0, s), integer);
      const n1 = f32x4.add(f32x4.div(x1, s), integer);
      const n2 = f32x4.add(f32x4.div(x2, s), integer);
      const n3 = f32x4.add(f32x4.div(x3, s), integer);
      const low = i16x8.narrow_i32x4_s(i32x4.sub(n0, integer), i32x4.sub(n1, integer));
      const high = i16x8.narrow_i32x4_s(i32x4.sub(n2, integer), i32x4.sub(n3, integer));
      const bytes = i8x16.narrow_i16x8_s(low, high);
      v128.store(to + k, bytes);
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes)));
      const e0 = f32x4.sub(x0, f32x4.mul(f32x4.sub(n0, integer), s));
      const e1 = f32x4.sub(x1, f32x4.mul(f32x4.sub(n1, integer), s));
      const e2 = f32x4.sub(x2, f32x4.mul(f32x4.sub(n2, integer), s));
      const e3 = f32x4.sub(x3, f32x4.mul(f32x4.sub(n3, integer), s));
      lost = f32x4.add(lost, f32x4.add(sum2(e0, e1), sum2(e2, e3)));
      squares = f32x4.add(squares, f32x4.add(sum2(x0, x1), sum2(x2, x3)));
    }
    store<f32>(records + (row << 3), scale);
    store<i32>(records + (row << 3), sumLanesI32(sums), 4);
    store<f32>(bounds + (row << 3), sqrt<f32>(sumLanesF32(lost)) * <f32>1.001);
    store<f32>(bounds + (row << 3), sqrt<f32>(sumLanesF32(squares)) * <f32>1.001, 4);
  }
  return largestOfAll;
}

/**
 * 1.5 · 2²³. Added to |x| < 2²² it rounds x to an integer, ties to even, and the integer stands in the low
 * bits of the sum. That is half the work of f32x4.nearest and i32x4.trunc_sat_f32x4_s, with the same results.
 */
// @ts-ignore: decorator
@inline
const INTEGER_BITS: f32 = 12582912;

/** a² + b² */
// @ts-ignore: decorator
@inline
function sum2(a: v128, b: v128): v128 {
  return f32x4.add(f32x4.mul(a, a), f32x4.mul(b, b));
}

/**
 * The largest magnitude of [cols] IEEE halves; 65536 or more if one is not finite. Their bits without the
 * sign ascend as the magnitudes do.
 */
// @ts-ignore: decorator
@inline
function largestHalf(from: usize, cols: usize): f32 {
  const magnitude = i16x8.splat(0x7fff);
  let bits = i16x8.splat(0);
  for (let k: usize = 0; k < cols; k += 16) {
    const a = v128.and(v128.load(from + (k << 1)), magnitude);
    const b = v128.and(v128.load(from + (k << 1), 16), magnitude);
    bits = i16x8.max_s(bits, i16x8.max_s(a, b));
  }
  const mask = halfMask();
  const unit = f32x4.splat(IEEE_HALF_UNIT);
  return horizontalMax(
    f32x4.max(f32x4.mul(halfEvens(bits, mask), unit), f32x4.mul(halfOdds(bits, mask), unit)),
  );
}
