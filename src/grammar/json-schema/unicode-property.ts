import type { Steps } from "../../text/slices.js";
import { type CodePoints, lastCodePoint } from "../code-points.js";

/** Two classes with all characters take about 20 ms together. */
const blockLength = 1 << 12;
const firstSurrogate = 0xd800;
const lastSurrogate = 0xdfff;
const knownProperties = new Map<string, CodePoints>();

/**
 * Finds the characters of each Unicode property that a regular expression names.
 *
 * @param pattern a regular expression with valid syntax.
 */
export function* loadProperties(pattern: string): Steps<void> {
  for (const [, name] of pattern.matchAll(/\\(?:[pP]\{([^}]*)\}|.)/gsu)) {
    if (name !== undefined && !knownProperties.has(name)) knownProperties.set(name, yield* findPoints(name));
  }
}

/** The characters with a Unicode property. `loadProperties` must have found them. */
export function pointsWith(name: string): CodePoints {
  return knownProperties.get(name) ?? [];
}

function* findPoints(name: string): Steps<CodePoints> {
  const runs = new RegExp(`\\p{${name}}+`, "gu");
  const found: [number, number][] = [];
  for (let begin = 0; begin <= lastCodePoint; begin += blockLength) {
    const points = Array.from({ length: blockLength }, (_, index) => begin + index).filter(
      (point) => point < firstSurrogate || point > lastSurrogate,
    );
    for (const [run] of String.fromCodePoint(...points).matchAll(runs)) {
      const first = run.codePointAt(0) ?? 0;
      const last = Array.from(run.slice(-2)).at(-1)?.codePointAt(0) ?? first;
      const before = found.at(-1);
      if (before?.[1] === first - 1) before[1] = last;
      else found.push([first, last]);
    }
    yield;
  }
  return found;
}
