// 2ˣ in f32 for x ≤ 0: x = n + r, |r| ≤ 1/2, and a polynomial of degree 4 for 2ʳ. Its relative error is below
// 3e-6 (minimax, by Remez' algorithm). No multiply-add is fused, so bits are the same everywhere.

/**
 * Constants in memory: V8 rebuilds a v128 constant at every use in a loop, in three instructions. One number
 * each, because a splat of a load is one instruction of any width.
 */
const CONSTANTS = memory.data<f32>([
  // The least x, and 1.5 · 2²³: a sum with it is rounded to a whole number, ties to even, in its low bits.
  -125, 12582912,
  9.570102207362652e-3, 5.591785907745361e-2, 2.40247443318367e-1, 6.931217908859253e-1, 9.999992847442627e-1,
]); // prettier-ignore

/** 2ˣ lane by lane for x ≤ 0. Results below 2⁻¹²⁵ are rounded up to it. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp2OfFour(x: v128): v128 {
  const clamped = f32x4.pmax(x, v128.load32_splat(CONSTANTS));
  const rounder = v128.load32_splat(CONSTANTS, 4);
  const shifted = f32x4.add(clamped, rounder);
  const r = f32x4.sub(clamped, f32x4.sub(shifted, rounder));
  let p = v128.load32_splat(CONSTANTS, 8);
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(CONSTANTS, 12));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(CONSTANTS, 16));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(CONSTANTS, 20));
  p = f32x4.add(f32x4.mul(p, r), v128.load32_splat(CONSTANTS, 24));
  // p is 0.7 … 1.5. The low bits of `shifted` are n, which is added to p's exponent.
  return i32x4.add(p, i32x4.shl(shifted, 23));
}
