import { BitNetError } from "../errors.js";
import { writeScale } from "./block-format.js";

/**
 * The one magnitude d of values that are all 0, d or −d. 0 if all are 0.
 *
 * @param first index of the first value in its tensor, for messages
 * @throws BitNetError INVALID_ARGUMENT for a value of another magnitude.
 */
export function ternaryScale(name: string, values: Float32Array, first: number): number {
  let scale = 0;
  for (let index = 0; index < values.length; index += 1) {
    const magnitude = Math.abs(values[index] as number);
    if (magnitude === 0 || magnitude === scale) continue;
    if (scale !== 0 || !Number.isFinite(magnitude)) {
      const expected = scale === 0 ? "a finite number" : `0 or ±${scale}, as others of its group`;
      throw notTernary(name, values[index] as number, first + index, expected);
    }
    scale = magnitude;
  }
  return scale;
}

/**
 * Writes a group's scale as the nearest half.
 * @throws BitNetError INVALID_ARGUMENT for a scale so small that it, and so all weights, would round to 0.
 */
export function writeTernaryScale(
  name: string,
  bytes: Uint8Array,
  at: number,
  scale: number,
  first: number,
): void {
  if (writeScale(bytes, at, scale) !== 0 || scale === 0) return;
  throw notTernary(
    name,
    scale,
    first,
    "a scale of at least 3e-8: halves, which scales are stored as, end there",
  );
}

export function notTernary(name: string, value: number, index: number, expected: string): BitNetError {
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot encode ${name}: value ${value} at index ${index} is not ${expected}; ` +
      "ternarize the matrix first (ternarizeByAbsmean)",
    { details: { index } },
  );
}
