import { at, f32, roundHalfEven } from "./float32.js";

function largestMagnitude(x: Float32Array, floor: number): number {
  let largest = f32(floor);
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** One token's activations as int8. The absolute maximum becomes 127, and halfway cases round to even. */
export function quantizeI8(x: Float32Array): { values: Int8Array; scale: number; sum: number } {
  const scale = f32(127 / largestMagnitude(x, 1e-5));
  const values = Int8Array.from(x, (value) =>
    Math.min(127, Math.max(-128, roundHalfEven(f32(value * scale)))),
  );
  return { values, scale, sum: values.reduce((sum, value) => sum + value, 0) };
}

/**
 * One token's activations as 14-bit numbers u = x·scale + 8192 in two planes of 7 bits: u = 128·high + low.
 */
export function quantizeI14(x: Float32Array): { high: Uint8Array; low: Uint8Array; scale: number } {
  const scale = f32(8128 / largestMagnitude(x, 1e-30));
  const shifted = Array.from(x, (value) => roundHalfEven(f32(value * scale)) + 8192);
  return {
    scale,
    high: Uint8Array.from(shifted, (u) => u >> 7),
    low: Uint8Array.from(shifted, (u) => u & 127),
  };
}

/** One row of weights as int8 times a scale, and the sum of the int8. */
export function packRowI8(x: Float32Array): { values: Int8Array; scale: number; sum: number } {
  const scale = f32(largestMagnitude(x, 1e-30) / 127);
  const values = Int8Array.from(x, (value) => roundHalfEven(f32(value / scale)));
  return { values, scale, sum: values.reduce((sum, value) => sum + value, 0) };
}

/**
 * One output of int8 rows × 14-bit activations. The exact integer is divided and multiplied in f64, then
 * rounded to f32.
 */
export function int8Output(
  row: { values: Int8Array; scale: number },
  token: { high: Uint8Array; low: Uint8Array; scale: number },
  scale: number,
): number {
  let sum = 0;
  for (let k = 0; k < row.values.length; k += 1) {
    sum += at(row.values, k) * (128 * at(token.high, k) + at(token.low, k) - 8192);
  }
  return f32(f32((sum / token.scale) * row.scale) * scale);
}
