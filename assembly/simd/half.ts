// Sixteen-bit floats as the kernels keep them, widened to f32 without touching subnormals, which trap to microcode.
//
// "rebiased f16": an IEEE half whose exponent has been raised by 10 and whose subnormals have been normalised, which loses
// nothing while |value| < 2⁷. Its bits, moved into an f32, are value · 2⁻¹⁰² and never subnormal; the factor 2¹⁰² is applied
// to the other operand.

/** 2¹⁰²: what a rebiased half read as f32 bits lacks. */
// @ts-ignore: decorator
@inline
export const HALF_UNIT: f32 = 5.070602400912918e30;

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

/** The sign, exponent and fraction bits that widening leaves in place: pass it to the two above. */
// @ts-ignore: decorator
@inline
export function halfMask(): v128 {
  return v128.load(HALF_MASK);
}

const HALF_MASK = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000]);
