import { drain, type Steps } from "../../text/slices.js";
import { badRequest } from "../failures.js";
import type { RequestLimits } from "./limits.js";

/** Deeper than any request. Recursive code must not run out of stack. */
const maxDepth = 1000;

/**
 * Parses JSON after a look at its size. Parsing and checking a million values takes a second and a gigabyte,
 * so they are counted first. Counting 4 MB takes 10 to 20 ms.
 *
 * @param param the field that holds the text; null is the body itself.
 * @throws Failure 400.
 */
export function parseJson(text: string, limits: RequestLimits, param: string | null): unknown {
  return drain(jsonSteps(text, limits, param));
}

/** As `parseJson`, in steps. */
export function* jsonSteps(text: string, limits: RequestLimits, param: string | null): Steps<unknown> {
  yield* checkSize(text, limits, param);
  yield;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(
      param,
      `${param === null ? "The request's body" : `Invalid ${param}: it`} is not JSON: ${why}`,
    );
  }
}

/** About a millisecond. */
const charactersPerStep = 1 << 18;

/** Stops at the first limit that is exceeded. It need not be right about texts that are not JSON. */
function* checkSize(text: string, { values, entries }: RequestLimits, param: string | null): Steps<void> {
  let valueCount = 0;
  let entryCount = 0;
  let depth = 0;
  let nextStep = charactersPerStep;
  for (let at = 0; at < text.length; at += 1) {
    if (at >= nextStep) {
      nextStep = at + charactersPerStep;
      yield;
    }
    switch (text.charCodeAt(at)) {
      case quote:
        valueCount += 1;
        at = endOfString(text, at);
        break;
      case openBracket:
      case openBrace:
        valueCount += 1;
        depth += 1;
        break;
      case closeBracket:
      case closeBrace:
        depth -= 1;
        break;
      case comma:
        entryCount += 1;
        break;
    }
    if (valueCount <= values && entryCount < entries && depth <= maxDepth) continue;
    const problem =
      depth > maxDepth
        ? `is more than ${maxDepth} levels deep`
        : valueCount > values
          ? `has more than ${values} strings, objects and lists`
          : `has more than ${entries} entries in lists and objects`;
    throw badRequest(param, `${param === null ? "The request's JSON" : `Invalid ${param}: it`} ${problem}`);
  }
}

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** @returns the index of the quote that ends the string which begins at `begin`. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text.charCodeAt(first - 1) === backslash) first -= 1;
    if ((end - first) % 2 === 0) return end;
  }
  return text.length;
}
