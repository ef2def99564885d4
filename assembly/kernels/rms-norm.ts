import { Address } from "../address";

/**
 * y[t, k] = (x[t, k] · r[t]) · w[k],  r[t] = 1 / √(f32(Σₖ x[t, k]² / cols) + ε)
 *
 * Shapes    x [tokens, cols] every inputStride bytes · w [cols] · y [tokens, cols] every outputStride bytes
 * Types     f32; squares are rounded to f32 and summed in f64, as in the native engine
 * Requires  cols % 4 == 0 · y may be x
 * Range     |x| < 1.8e19: larger squares overflow
 * Exact     bit-identical in every build. The native engine adds squares one by one, this kernel in eight
 *           interleaved series. The f64 sums agree to parts in 10¹³. Where they straddle a rounding boundary,
 *           r differs by an ulp of f32
 * Splits    by tokens
 */
export function rms_norm(
  x: Address,
  cols: usize,
  tokens: usize,
  inputStride: usize,
  weights: Address,
  epsilon: f32,
  y: Address,
  outputStride: usize,
): void {
  const bytes = cols << 2;
  const pairedBytes = bytes & ~31;
  for (let t: usize = 0; t < tokens; ++t) {
    let a = f64x2.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let k: usize = 0; k < pairedBytes; k += 32) {
      const first = v128.load(x + k);
      const second = v128.load(x + k, 16);
      const low = f32x4.mul(first, first);
      const high = f32x4.mul(second, second);
      a = f64x2.add(a, f64x2.promote_low_f32x4(low));
      b = f64x2.add(b, f64x2.promote_low_f32x4(i32x4.shuffle(low, low, 2, 3, 0, 1)));
      c = f64x2.add(c, f64x2.promote_low_f32x4(high));
      d = f64x2.add(d, f64x2.promote_low_f32x4(i32x4.shuffle(high, high, 2, 3, 0, 1)));
    }
    const lanes = f64x2.add(f64x2.add(a, c), f64x2.add(b, d));
    let sum = f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
    for (let k = pairedBytes; k < bytes; k += 4) {
      const value = load<f32>(x + k);
      sum += <f64>(value * value);
    }
    const mean = <f32>(sum / <f64>cols);
    const factor: f32 = 1 / sqrt<f32>(mean + epsilon);
    const r = f32x4.splat(factor);
    for (let k: usize = 0; k < bytes; k += 16) {
      v128.store(y + k, f32x4.mul(f32x4.mul(v128.load(x + k), r), v128.load(weights + k)));
    }
    x += inputStride;
    y += outputStride;
  }
}
