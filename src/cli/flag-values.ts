import { InvalidArgumentError } from "commander";

/** A number in decimal; its range is for the library to check. */
export function parseNumber(text: string): number {
  const value = Number(text);
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** For numbers that no library option stands behind: a whole number of at least `least`. */
export function parseCount(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
  };
}

/** A list such as "1,2,4": whole numbers of at least `least`. */
export function parseList(least: number): (text: string) => readonly number[] {
  const parse = parseCount(least);
  return (text) => {
    try {
      return text.split(",").map((part) => parse(part.trim()));
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw new InvalidArgumentError(`Expected whole numbers from ${least}, separated by commas.`);
    }
  };
}

/** For a flag that may be given several times. */
export function collect(text: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), text];
}
