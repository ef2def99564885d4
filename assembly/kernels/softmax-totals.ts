import { Address } from "../address";
import { expPair } from "../simd/exp-f64";

/** e^−700 is near the least normal f64; the series of expPair holds down to here. */
// @ts-ignore: decorator
@inline
const LEAST_DIFFERENCE: f64 = -700;

/**
 * m[t] = maxₖ x[t, k],  total[t] = Σₖ e^(x[t, k] − m[t])   for t in [0, rows): logits become probabilities
 *
 * Shapes    x [rows, cols] every stride bytes · output [rows] {m, total}
 * Types     x f32 · output f64
 * Requires  output overlaps nothing
 * Range     NaN and values below m − 700 count as −∞: their exponential is 0. +∞ counts as the largest f32.
 *           If all are −∞ or NaN, m is −∞ and the total 0
 * Exact     bit-identical in every build, and to src/generation/log-softmax.ts: eight interleaved series in
 *           f64
 * Splits    by rows
 */
export function softmax_totals(x: Address, cols: usize, rows: usize, stride: usize, output: Address): void {
  const bytes = cols << 2;
  const quadBytes = bytes & ~15;
  const pairedBytes = bytes & ~31;
  for (let t: usize = 0; t < rows; ++t) {
    let most = f32x4.splat(-Infinity);
    for (let k: usize = 0; k < quadBytes; k += 16) most = f32x4.pmax(most, v128.load(x + k));
    let m = f32x4.extract_lane(most, 0);
    if (f32x4.extract_lane(most, 1) > m) m = f32x4.extract_lane(most, 1);
    if (f32x4.extract_lane(most, 2) > m) m = f32x4.extract_lane(most, 2);
    if (f32x4.extract_lane(most, 3) > m) m = f32x4.extract_lane(most, 3);
    for (let k = quadBytes; k < bytes; k += 4) if (load<f32>(x + k) > m) m = load<f32>(x + k);
    if (m > f32.MAX_VALUE) m = f32.MAX_VALUE;

    const largest = f64x2.splat(<f64>m);
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let k: usize = 0; k < pairedBytes; k += 32) {
      const first = v128.load(x + k);
      const second = v128.load(x + k, 16);
      a = f64x2.add(a, weights(first, largest));
      b = f64x2.add(b, weights(i32x4.shuffle(first, first, 2, 3, 0, 1), largest));
      c = f64x2.add(c, weights(second, largest));
      d = f64x2.add(d, weights(i32x4.shuffle(second, second, 2, 3, 0, 1), largest));
    }
    const lanes = f64x2.add(f64x2.add(a, c), f64x2.add(b, d));
    let total = f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
    for (let k = pairedBytes; k < bytes; k += 4) {
      total += f64x2.extract_lane(weights(f32x4.splat(load<f32>(x + k)), largest), 0);
    }
    store<f64>(output, <f64>m);
    store<f64>(output, total, 8);
    x += stride;
    output += 16;
  }
}

/** e^(x − m) of the two lower lanes. */
// @ts-ignore: decorator
@inline
function weights(x: v128, m: v128): v128 {
  const bounded = f32x4.pmin(x, f32x4.splat(f32.MAX_VALUE));
  const difference = f64x2.sub(f64x2.promote_low_f32x4(bounded), m);
  return v128.and(expPair(difference), f64x2.ge(difference, f64x2.splat(LEAST_DIFFERENCE)));
}
