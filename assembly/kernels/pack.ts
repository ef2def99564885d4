// From layouts of files to layouts of kernels. What files mean is defined in src/weight-formats.

import { Address } from "../address";

/**
 * Whether every two-bit code is 0, 1 or 2. If so, the codes of an I2_S file are ternary-rows as they are.
 *
 * Shapes    codes [bytes]
 * Types     codes two bits each, as in ternary-rows (docs/KERNELS.md)
 * Requires  bytes % 32 == 0
 * Range     any codes
 * Returns   0, or 1 + the index of the first block of 32 bytes with a code 3, which no writer makes
 * Exact     bit-exact
 * Splits    by blocks
 */
export function check_ternary(codes: Address, bytes: usize): usize {
  const lowBits = i8x16.splat(0x55);
  for (let at: usize = 0; at < bytes; at += 32) {
    const a = v128.load(codes + at);
    const b = v128.load(codes + at, 16);
    // A 16-bit shift carries a bit between bytes, but only into a bit that the mask clears.
    const threes = v128.or(v128.and(a, i16x8.shr_u(a, 1)), v128.and(b, i16x8.shr_u(b, 1)));
    if (v128.any_true(v128.and(threes, lowBits))) return 1 + (at >> 5);
  }
  return 0;
}

/**
 * Whether every f32 is finite: its exponent bits are not all ones.
 *
 * Shapes    values [count]
 * Types     f32
 * Requires  nothing
 * Range     any values
 * Returns   0, or 1 + the index of the first value that is infinite or NaN
 * Exact     bit-exact
 * Splits    by elements
 */
export function check_finite_f32(values: Address, count: usize): usize {
  const exponent = i32x4.splat(0x7f800000);
  const vectors = count & ~15;
  let i: usize = 0;
  for (; i < vectors; i += 16) {
    const at = values + (i << 2);
    const a = i32x4.eq(v128.and(v128.load(at), exponent), exponent);
    const b = i32x4.eq(v128.and(v128.load(at, 16), exponent), exponent);
    const c = i32x4.eq(v128.and(v128.load(at, 32), exponent), exponent);
    const d = i32x4.eq(v128.and(v128.load(at, 48), exponent), exponent);
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) break;
  }
  // The rest, or the 16 values with a bad one among them.
  for (; i < count; ++i) {
    if ((load<u32>(values + (i << 2)) & 0x7f800000) == 0x7f800000) return 1 + i;
  }
  return 0;
}

/**
 * The same for numbers of 16 bits, whose exponent bits are those of `exponentMask`.
 *
 * Shapes    values [count]
 * Types     IEEE halves (mask 0x7c00) · bfloat16 (mask 0x7f80)
 * Requires  nothing
 * Range     any values
 * Returns   0, or 1 + the index of the first value that is infinite or NaN
 * Exact     bit-exact
 * Splits    by elements
 */
export function check_finite_16(values: Address, count: usize, exponentMask: u32): usize {
  const exponent = i16x8.splat(<i16>exponentMask);
  const vectors = count & ~31;
  let i: usize = 0;
  for (; i < vectors; i += 32) {
    const at = values + (i << 1);
    const a = i16x8.eq(v128.and(v128.load(at), exponent), exponent);
    const b = i16x8.eq(v128.and(v128.load(at, 16), exponent), exponent);
    const c = i16x8.eq(v128.and(v128.load(at, 32), exponent), exponent);
    const d = i16x8.eq(v128.and(v128.load(at, 48), exponent), exponent);
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) break;
  }
  // The rest, or the 32 values with a bad one among them.
  for (; i < count; ++i) {
    if (((<u32>load<u16>(values + (i << 1))) & exponentMask) == exponentMask) return 1 + i;
  }
  return 0;
}

/**
 * to[i] = from[i] with its exponent raised by 10 and subnormals normalised (simd/half)   for i in [0, count)
 *
 * Shapes    from, to [count]
 * Types     from IEEE halves · to rebiased halves
 * Requires  from and to are equal or do not overlap
 * Range     finite values below 2⁷ in magnitude
 * Returns   1; or 0 if a value is outside the range: what was written is then useless
 * Exact     lossless
 * Splits    by elements
 */
export function pack_f16(from: Address, to: Address, count: usize): bool {
  for (let i: usize = 0; i < count; ++i) {
    const bits = <u32>load<u16>(from + (i << 1));
    const sign = bits & 0x8000;
    const magnitude = bits & 0x7fff;
    let packed: u32;
    if (magnitude >= 22 << 10) return false;
    if (magnitude >= 1 << 10) packed = magnitude + (10 << 10);
    else if (magnitude == 0) packed = 0;
    else {
      // A subnormal f · 2⁻²⁴: shift its leading one out of the fraction, one exponent step for each bit.
      const shift = <u32>clz(magnitude) - 21;
      packed = ((magnitude << shift) & 0x3ff) | ((11 - shift) << 10);
    }
    store<u16>(to + (i << 1), <u16>(packed | sign));
  }
  return true;
}

/**
 * to[i] = from[i]                                              for i in [0, count)
 *
 * Shapes    from, to [count]
 * Types     from IEEE halves · to f32
 * Requires  to overlaps nothing
 * Range     any values; infinities and NaN keep their fraction bits
 * Exact     lossless
 * Splits    by elements
 */
export function widen_f16(from: Address, to: Address, count: usize): void {
  for (let i: usize = 0; i < count; ++i) {
    const bits = <u32>load<u16>(from + (i << 1));
    const sign = (bits & 0x8000) << 16;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 0x3ff;
    let widened: u32;
    if (exponent == 31) widened = 0x7f800000 | (fraction << 13);
    else if (exponent != 0) widened = ((exponent + 112) << 23) | (fraction << 13);
    else widened = reinterpret<u32>(<f32>fraction * <f32>5.960464477539063e-8);
    store<u32>(to + (i << 2), sign | widened);
  }
}
