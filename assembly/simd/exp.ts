// eˣ in f32 by the usual reduction x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial for eʳ. No multiply-add
// is fused, so bits are the same everywhere. The error is within 2 ulp (test/kernels). The coefficients are
// those of Cephes (expf), which is in the public domain.

/**
 * Constants as vectors in memory: V8 rebuilds a v128 constant at every use in a loop, in three instructions.
 */
const CONSTANTS = memory.data<f32>([
  // Powers of two outside −126…127 are subnormal or overflow. So inputs are clamped; e^−87.3 is the least.
  -87.33654, -87.33654, -87.33654, -87.33654,
  88.02969, 88.02969, 88.02969, 88.02969,
  // log₂ e, and 1.5 · 2²³: a sum with it is rounded to a whole number, ties to even, in its low bits.
  1.44269504088896341, 1.44269504088896341, 1.44269504088896341, 1.44269504088896341,
  12582912, 12582912, 12582912, 12582912,
  // ln 2 in two parts.
  0.693359375, 0.693359375, 0.693359375, 0.693359375,
  -2.1219444e-4, -2.1219444e-4, -2.1219444e-4, -2.1219444e-4,
  1.98756915e-4, 1.98756915e-4, 1.98756915e-4, 1.98756915e-4,
  1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3,
  8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3,
  4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2,
  1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1,
  5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1,
  1, 1, 1, 1,
]); // prettier-ignore
const BIAS = memory.data<i32>([127, 127, 127, 127]);

/** eˣ lane by lane. Results below 1.2e-38 are rounded up to it. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, v128.load(CONSTANTS)), v128.load(CONSTANTS, 16));
  const rounder = v128.load(CONSTANTS, 48);
  const shifted = f32x4.add(f32x4.mul(clamped, v128.load(CONSTANTS, 32)), rounder);
  const n = f32x4.sub(shifted, rounder);
  const high = f32x4.sub(clamped, f32x4.mul(n, v128.load(CONSTANTS, 64)));
  const r = f32x4.sub(high, f32x4.mul(n, v128.load(CONSTANTS, 80)));
  let p = v128.load(CONSTANTS, 96);
  p = f32x4.add(f32x4.mul(p, r), v128.load(CONSTANTS, 112));
  p = f32x4.add(f32x4.mul(p, r), v128.load(CONSTANTS, 128));
  p = f32x4.add(f32x4.mul(p, r), v128.load(CONSTANTS, 144));
  p = f32x4.add(f32x4.mul(p, r), v128.load(CONSTANTS, 160));
  p = f32x4.add(f32x4.mul(p, r), v128.load(CONSTANTS, 176));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), v128.load(CONSTANTS, 192));
  // The low bits of `shifted` are n. The shift drops all others.
  return f32x4.mul(p, i32x4.shl(i32x4.add(shifted, v128.load(BIAS)), 23));
}
