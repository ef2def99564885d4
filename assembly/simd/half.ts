// Sixteen-bit floats of kernels, widened to f32 without subnormals, which trap to microcode on some CPUs.
//
// "Rebiased halves" are IEEE halves with the exponent raised by 10 and subnormals normalised. That is
// lossless while |value| < 2⁷. Their bits, moved into an f32, are value · 2⁻¹⁰² and never subnormal. The
// other operand of a product carries the missing 2¹⁰².

/** 2¹⁰²: the missing factor of a rebiased half whose bits are read as an f32. */
// @ts-ignore: decorator
@inline
export const HALF_UNIT: f32 = 5.070602400912918e30;

/** 2¹¹²: the same for an IEEE half. Subnormal halves then pass through subnormal f32. */
// @ts-ignore: decorator
@inline
export const IEEE_HALF_UNIT: f32 = 5.192296858534828e33;

/**
 * 2¹⁰⁰ and 2¹²: IEEE_HALF_UNIT in two parts, for sums where both operands need room (kernels/attention).
 */
// @ts-ignore: decorator
@inline
export const QUERY_UNIT: f32 = 1.2676506002282294e30;
// @ts-ignore: decorator
@inline
export const CACHED_UNIT: f32 = 4096;

/** 2⁻¹¹²: a half's value times this is the f32 whose bits, shifted down by 13, are the half's. */
// @ts-ignore: decorator
@inline
const TO_HALF_BITS: f32 = 1.925929944387236e-34;

/** Eight f32 as IEEE halves, rounded to the nearest, ties to even, and to ±65504 beyond it. */
// @ts-ignore: decorator
@inline
export function toHalves(low: v128, high: v128): v128 {
  return i16x8.narrow_i32x4_u(halfBits(low), halfBits(high));
}

// @ts-ignore: decorator
@inline
function halfBits(x: v128): v128 {
  const bits = f32x4.mul(roundToHalf(x), f32x4.splat(TO_HALF_BITS));
  const sign = v128.and(i32x4.shr_u(bits, 16), i32x4.splat(0x8000));
  return v128.or(v128.and(i32x4.shr_u(bits, 13), i32x4.splat(0x7fff)), sign);
}

/** The even 16-bit elements of 8 rebiased halves, as f32 · 2⁻¹⁰². */
// @ts-ignore: decorator
@inline
export function halfEvens(v: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(v, 16), 3), mask);
}

/** The odd elements. */
// @ts-ignore: decorator
@inline
export function halfOdds(v: v128, mask: v128): v128 {
  return v128.and(i32x4.shr_s(v, 3), mask);
}

/**
 * The sign, exponent and fraction bits that a widened half has: an argument of the two functions above.
 */
// @ts-ignore: decorator
@inline
export function halfMask(): v128 {
  return v128.load(HALF_MASK);
}

const HALF_MASK = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000]);

/**
 * Four f32 rounded to the nearest IEEE half, ties to even, and kept as f32; beyond ±65504 they become that.
 * Above 2⁻¹⁴, halves are normal: 13 bits of the fraction are rounded away. Below it, halves are multiples of
 * 2⁻²⁴: adding and subtracting 0.75 rounds to them.
 */
// @ts-ignore: decorator
@inline
export function roundToHalf(x: v128): v128 {
  const clamped = f32x4.min(f32x4.max(x, f32x4.splat(-65504)), f32x4.splat(65504));
  const tie = v128.and(i32x4.shr_u(clamped, 13), i32x4.splat(1));
  const carried = i32x4.add(clamped, i32x4.add(tie, i32x4.splat(0xfff)));
  const normal = v128.and(carried, i32x4.splat(<i32>0xffffe000));
  const grid = f32x4.splat(0.75);
  // A number that rounds to zero keeps its sign.
  const sign = v128.and(clamped, i32x4.splat(<i32>0x80000000));
  const subnormal = v128.or(f32x4.sub(f32x4.add(clamped, grid), grid), sign);
  return v128.bitselect(subnormal, normal, f32x4.lt(f32x4.abs(clamped), f32x4.splat(6.103515625e-5)));
}
