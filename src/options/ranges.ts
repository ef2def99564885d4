import type { NumberOption, NumberRange, SamplingOption } from "./sampling-table.js";

/** Largest number of stop strings, and of characters in one. */
export const maxStops = 64;
export const maxStopLength = 4096;

export function isNumberOption(option: SamplingOption): option is NumberOption {
  return option.kind === "number" || option.kind === "integer";
}

/** Whether a number is of the option's kind and range. */
export function isInRange(option: Pick<NumberOption, "kind"> & NumberRange, value: number): boolean {
  const { kind, min = -Infinity, max = Infinity, above = -Infinity } = option;
  const isKind = kind === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isKind && value >= min && value <= max && value > above;
}

/** The range in words, such as "a number from 0 to 1". */
export function rangeText(option: SamplingOption): string {
  switch (option.kind) {
    case "number":
    case "integer":
      return `${option.kind === "integer" ? "a whole number" : "a number"}${boundsText(option)}`;
    case "boolean":
      return "true or false";
    case "choice":
      return (option.choices ?? []).map((choice) => JSON.stringify(choice)).join(", ");
    case "strings":
      return `a string or an array of at most ${maxStops} strings, each of 1 to ${maxStopLength} characters`;
    case "biases":
      return "an object or a Map of numbers by token id";
    case "schema":
      return "a JSON Schema";
    case "callback":
      return "a function";
    case "signal":
      return "an AbortSignal";
  }
}

function boundsText({ min, max, above }: NumberRange): string {
  if (above !== undefined) return ` above ${above}`;
  const upper = max === Number.MAX_SAFE_INTEGER ? "2^53 − 1" : max;
  return `${min === undefined ? "" : ` from ${min}`}${upper === undefined ? "" : ` to ${upper}`}`;
}

/** The default in words, such as "the model's, else 0.8". */
export function defaultText(option: SamplingOption): string {
  const value = option.defaultText ?? (option.default === undefined ? "none" : String(option.default));
  return isNumberOption(option) && option.ggufKey !== undefined ? `the model's, else ${value}` : value;
}
