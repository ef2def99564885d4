import { BitNetError } from "../errors.js";
import { invalidOption } from "./checks.js";

/**
 * Refuses options that do not exist, so that a misspelt one is not ignored. An option whose value is
 * undefined passes.
 *
 * @param what the function that was called, such as "loadModel".
 * @param given the options of the caller, or undefined.
 * @param known names of all options.
 * @throws BitNetError INVALID_ARGUMENT if `given` is not an object, or naming its first unknown option.
 */
export function refuseUnknownOptions(what: string, given: unknown, known: readonly string[]): void {
  if (given === undefined) return;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalidOption("options", given, `an object of options of ${what}`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.includes(name)) continue;
    const likely = closest(name, known);
    const advice =
      likely === undefined ? `it knows ${known.toSorted().join(", ")}` : `did you mean ${likely}?`;
    throw new BitNetError("INVALID_ARGUMENT", `Unknown option ${name} of ${what}: ${advice}`, {
      details: { option: name, value },
    });
  }
}

/** The known name that `name` resembles most: "max_tokens" and "maxTokns" resemble maxTokens. */
function closest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.replaceAll(/[_-]/g, "").toLowerCase();
  const asked = plain(name).slice(0, 40);
  let likely: string | undefined;
  let min = Math.max(2, Math.floor(asked.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(asked, plain(candidate));
    if (distance < min) [likely, min] = [candidate, distance];
  }
  return min < asked.length ? likely : undefined;
}

/**
 * The fewest characters to insert, delete or replace to get from one text to the other (Levenshtein
 * distance).
 */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index += 1) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column += 1) {
      const replaced = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
