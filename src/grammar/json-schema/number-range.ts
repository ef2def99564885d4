import { byteOf, choice, type Expression, nothing, repeat, sequence, text } from "../expression.js";
import { maxDigits } from "../json-text.js";

const largest = 10 ** maxDigits - 1;

/** Whole numbers in a range, both ends included, of at most 15 digits. */
export function integersBetween(min: number, max: number): Expression {
  return scaledBetween(Math.max(Math.ceil(min), -largest), Math.min(Math.floor(max), largest), 0);
}

/** Numbers with exactly `decimals` decimals. The bounds are in units of the last decimal. */
export function scaledBetween(min: number, max: number, decimals: number): Expression {
  const options: Expression[] = [];
  if (max >= 0 && max >= min) options.push(magnitudes(Math.max(0, min), max, decimals));
  // Zero is never negative.
  if (min < 0 && max >= min) options.push(sequence(text("-"), magnitudes(Math.max(1, -max), -min, decimals)));
  return options.length === 0 ? nothing : choice(...options);
}

/** @param min from 0. */
function magnitudes(min: number, max: number, decimals: number): Expression {
  const shortest = decimals + 1;
  const options: Expression[] = [];
  for (let length = shortest; length <= String(max).length || length === shortest; length += 1) {
    // A number begins with 0 only if it has one digit before the point.
    const low = Math.max(min, length === shortest ? 0 : 10 ** (length - 1));
    const high = Math.min(max, 10 ** length - 1);
    if (low > high) continue;
    const pad = (value: number): string => String(value).padStart(length, "0");
    options.push(alike(pad(low), pad(high), decimals));
  }
  return choice(...options);
}

/**
 * Strings of digits from `low` to `high`, of equal length.
 * @param decimals number of digits after the point.
 */
function alike(low: string, high: string, decimals: number): Expression {
  if (low === "") return sequence();
  const point = low.length === decimals ? text(".") : sequence();
  const [lowDigit, lowRest] = [Number(low[0]), low.slice(1)];
  const [highDigit, highRest] = [Number(high[0]), high.slice(1)];
  const [zeros, nines] = ["0".repeat(lowRest.length), "9".repeat(lowRest.length)];
  if (lowRest === zeros && highRest === nines)
    return sequence(point, digits(lowDigit, highDigit), free(lowRest.length, decimals));
  if (lowDigit === highDigit)
    return sequence(point, digits(lowDigit, lowDigit), alike(lowRest, highRest, decimals));
  const middle =
    lowDigit + 1 < highDigit
      ? [sequence(digits(lowDigit + 1, highDigit - 1), free(lowRest.length, decimals))]
      : [];
  return sequence(
    point,
    choice(
      sequence(digits(lowDigit, lowDigit), alike(lowRest, nines, decimals)),
      ...middle,
      sequence(digits(highDigit, highDigit), alike(zeros, highRest, decimals)),
    ),
  );
}

function free(length: number, decimals: number): Expression {
  const before = Math.max(0, length - decimals);
  const after = length - before;
  const any = digits(0, 9);
  // If fewer digits remain than decimals, the point is already written.
  const point = after > 0 && after === decimals ? text(".") : sequence();
  return sequence(repeat(any, before, before), point, repeat(any, after, after));
}

function digits(first: number, last: number): Expression {
  return byteOf([0x30 + first, 0x30 + last]);
}
