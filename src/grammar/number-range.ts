import { byteOf, choice, type Expression, nothing, repeat, sequence, text } from "./expression.js";
import { mostDigits } from "./json-text.js";

const largest = 10 ** mostDigits - 1;

/** Whole numbers in a range, both ends included; beyond 15 digits there are none. */
export function integersBetween(least: number, most: number): Expression {
  return scaledBetween(Math.max(Math.ceil(least), -largest), Math.min(Math.floor(most), largest), 0);
}

/** Numbers with exactly `decimals` decimals, given as multiples of the last of them. */
export function scaledBetween(least: number, most: number, decimals: number): Expression {
  const options: Expression[] = [];
  if (most >= 0 && most >= least) options.push(magnitudes(Math.max(0, least), most, decimals));
  // Zero has no minus here.
  if (least < 0 && most >= least)
    options.push(sequence(text("-"), magnitudes(Math.max(1, -most), -least, decimals)));
  return options.length === 0 ? nothing : choice(...options);
}

/** @param least from 0. */
function magnitudes(least: number, most: number, decimals: number): Expression {
  const shortest = decimals + 1;
  const options: Expression[] = [];
  for (let length = shortest; length <= String(most).length || length === shortest; length += 1) {
    // Only a single digit before the point may be a zero.
    const low = Math.max(least, length === shortest ? 0 : 10 ** (length - 1));
    const high = Math.min(most, 10 ** length - 1);
    if (low > high) continue;
    const pad = (value: number): string => String(value).padStart(length, "0");
    options.push(alike(pad(low), pad(high), decimals));
  }
  return choice(...options);
}

/** Digits between two rows of as many digits. @param decimals how many of them come after the point. */
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
  // The point has been written where all that is left comes after it.
  const point = after > 0 && after === decimals ? text(".") : sequence();
  return sequence(repeat(any, before, before), point, repeat(any, after, after));
}

function digits(first: number, last: number): Expression {
  return byteOf([0x30 + first, 0x30 + last]);
}
