// eˣ in f64: x = k·ln 2 + r, |r| ≤ ln 2 / 2, and a series for eʳ. The operations and their order are those of
// src/generation/deterministic-math.ts, so both give the same bits.

// @ts-ignore: decorator
@inline
const INVERSE_LN2: f64 = 1.4426950408889634;
// ln 2 in two parts. The first ends in 32 zero bits, so its product with any exponent is exact.
// @ts-ignore: decorator
@inline
const LN2_HIGH: f64 = 0.6931471803691238;
// @ts-ignore: decorator
@inline
const LN2_LOW: f64 = 1.9082149292705877e-10;
// A sum of it and a number below 2⁵¹ is rounded to a whole number, ties to even, in its low bits.
// @ts-ignore: decorator
@inline
const ROUNDER: f64 = 6755399441055744;

/** eˣ of two f64 from −700 to 0. For other numbers and NaN the result is any bits. */
// @ts-ignore: decorator
@inline
export function expPair(x: v128): v128 {
  const rounded = f64x2.add(f64x2.mul(x, f64x2.splat(INVERSE_LN2)), f64x2.splat(ROUNDER));
  const k = f64x2.sub(rounded, f64x2.splat(ROUNDER));
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  const low = f64x2.mul(k, f64x2.splat(LN2_LOW));
  const r = f64x2.sub(high, low);
  let sum = f64x2.splat(1.0 / 87178291200.0);
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 6227020800.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 479001600.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 39916800.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 3628800.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 362880.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 40320.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 5040.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 720.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 120.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 24.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 6.0));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.0 / 2.0));
  const one = f64x2.splat(1);
  const base = f64x2.add(one, high);
  const small = f64x2.sub(f64x2.mul(f64x2.mul(r, r), sum), low);
  const y = f64x2.add(base, f64x2.add(f64x2.sub(high, f64x2.sub(base, one)), small));
  const exponent = i64x2.sub(rounded, i64x2.splat(reinterpret<i64>(ROUNDER)));
  return f64x2.mul(y, i64x2.shl(i64x2.add(exponent, i64x2.splat(1023)), 52));
}
