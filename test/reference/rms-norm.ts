import { at, f32 } from "./float32.js";

/** One row, as in the native engine: f32 squares, summed one by one in f64, and f32 for everything else. */
export function rmsNorm(x: Float32Array, weights: Float32Array, epsilon: number): Float32Array {
  let sum = 0;
  for (const value of x) sum += f32(value * value);
  const mean = f32(sum / x.length);
  const factor = f32(1 / f32(Math.sqrt(f32(mean + f32(epsilon)))));
  return x.map((value, k) => f32(f32(value * factor) * at(weights, k)));
}
