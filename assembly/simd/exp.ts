// eˣ in f32 by the usual reduction x = n·ln 2 + r, |r| ≤ ln 2 / 2, and a polynomial for eʳ. No multiply-add is fused, so the
// bits are the same everywhere; the error is within 2 ulp (test/kernels). The coefficients are Cephes' (expf), public domain.

// Powers of two outside −126…127 would need subnormals or overflow: inputs are clamped, so e^−87.3 is the least result.
// @ts-ignore: decorator
@inline
const LOWEST: f32 = -87.33654;
// @ts-ignore: decorator
@inline
const HIGHEST: f32 = 88.02969;

/** eˣ lane by lane; results below 1.2e-38 are rounded up to it. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = f32x4.min(f32x4.max(x, f32x4.splat(LOWEST)), f32x4.splat(HIGHEST));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)));
  const high = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  const r = f32x4.sub(high, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  return f32x4.mul(p, i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23));
}
