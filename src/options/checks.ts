import { BitNetError } from "../errors.js";

/**
 * The one check of whole numbers.
 *
 * @param max Default: 2^53 − 1.
 * @throws BitNetError INVALID_ARGUMENT unless `value` is a whole number from `min` to `max`.
 */
export function checkWhole(
  name: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (isWhole(value, min, max)) return value;
  throw invalidOption(name, value, wholeRange(min, max));
}

/** Whether `value` is a whole number from `min` to `max`. */
export function isWhole(value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
}

/** Such as "a whole number from 1 to 256". */
export function wholeRange(min: number, max: number = Number.MAX_SAFE_INTEGER): string {
  return `a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? "" : ` to ${max}`}`;
}

/** An INVALID_ARGUMENT that names an option, its value and the expected values. */
export function invalidOption(name: string, value: unknown, expected: string): BitNetError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
  return new BitNetError("INVALID_ARGUMENT", `Invalid ${name}: ${shown} (expected ${expected})`, {
    details: { option: name, value },
  });
}
