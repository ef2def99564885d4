import { expect } from "vitest";
import { at } from "../reference/float32.js";

/** Root mean square of the logits' difference, relative to their standard deviation. */
export function relativeDifference(
  actual: ArrayLike<number>,
  expected: readonly (readonly number[])[],
): number {
  const flat = expected.flat();
  expect(actual.length).toBe(flat.length);
  const mean = flat.reduce((sum, value) => sum + value, 0) / flat.length;
  const variance = flat.reduce((sum, value) => sum + (value - mean) ** 2, 0) / flat.length;
  const error = flat.reduce((sum, value, i) => sum + (value - at(actual, i)) ** 2, 0) / flat.length;
  return Math.sqrt(error / variance);
}
