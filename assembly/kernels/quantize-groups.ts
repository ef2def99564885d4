import { Address } from "../address";
import { horizontalMax, larger, sumLanesI32 } from "../simd/lanes";

/** The smallest maximum that a group is scaled by. Values far below it round to zero. */
// @ts-ignore: decorator
@inline
const ABSMAX_FLOOR: f32 = 1e-30;

/** Sixteen activations times s, rounded to int8. */
// @ts-ignore: decorator
@inline
function round16(from: usize, s: v128): v128 {
  const a = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), s)));
  const b = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 16), s)));
  const c = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 32), s)));
  const d = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 48), s)));
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** The largest of sixteen magnitudes, in four lanes. */
// @ts-ignore: decorator
@inline
function largest16(from: usize): v128 {
  const a = larger(f32x4.abs(v128.load(from)), f32x4.abs(v128.load(from, 16)));
  const b = larger(f32x4.abs(v128.load(from, 32)), f32x4.abs(v128.load(from, 48)));
  return larger(a, b);
}

/** Sums of sixteen int8, in four lanes. */
// @ts-ignore: decorator
@inline
function sums16(bytes: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes));
}

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
        largest4 = larger(largest4, largest16(x + (k << 2)));
      }
      const largest = horizontalMax(largest4);
      const s = f32x4.splat(127 / max(largest, ABSMAX_FLOOR));
      let sums = i32x4.splat(0);
      let k = begin;
      for (; k < end; k += 16) {
        const bytes = round16(x + (k << 2), s);
        v128.store(q + k, bytes);
        sums = i32x4.add(sums, sums16(bytes));
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

/**
 * m = maxₖ |x[t, k]| over a block of 32;  s = m / 127
 * q[t, k] = roundHalfEven(x[t, k] · (127 / max(m, 1e-30)))
 *
 * A record has 16 bytes for each half of a block: s, and sums of the half's q. Their last number belongs to
 * the whole block:
 *
 *   {s, s · Σ q, −Σ q, s · Σ q of the block}     of the first half; f32 but the third
 *   {s, s · Σ q, −Σ q, −Σ q of the block}        of the second half; f32 but the last two, which are i32
 *
 * Shapes    x [tokens, cols] every inputStride bytes · q [tokens, cols] · records [tokens, cols / 32]
 * Types     x f32 · q i8 · records of 32 bytes
 * Requires  cols % 32 == 0 · 16-byte aligned rows · q and records overlap nothing
 * Range     x finite; |q| ≤ 127
 * Exact     bit-identical in every build: a maximum has no order, the rest is one rounding each
 * Splits    by tokens
 */
export function quantize_activations_blocks(
  x: Address,
  cols: usize,
  tokens: usize,
  inputStride: usize,
  q: Address,
  records: Address,
): void {
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k: usize = 0; k < cols; k += 32) {
      const from = x + (k << 2);
      const largest = horizontalMax(larger(largest16(from), largest16(from + 64)));
      const factor = f32x4.splat(127 / max(largest, ABSMAX_FLOOR));
      const a = round16(from, factor);
      const b = round16(from + 64, factor);
      v128.store(q + k, a);
      v128.store(q + k, b, 16);
      const first = sumLanesI32(sums16(a));
      const second = sumLanesI32(sums16(b));
      const s: f32 = largest / 127;
      const record = records + k;
      store<f32>(record, s);
      store<f32>(record, s * <f32>first, 4);
      store<i32>(record, -first, 8);
      store<f32>(record, s * <f32>(first + second), 12);
      store<f32>(record, s, 16);
      store<f32>(record, s * <f32>second, 20);
      store<i32>(record, -second, 24);
      store<i32>(record, -(first + second), 28);
    }
    x += inputStride;
    q += cols;
    records += cols;
  }
}
