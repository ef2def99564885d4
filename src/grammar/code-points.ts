import { byteOf, type ByteRange, choice, type Expression, sequence } from "./expression.js";

/** Ranges of code points, both ends included. */
export type CodePoints = readonly ByteRange[];

export const lastCodePoint = 0x10ffff;

/** Ranges of equal length in UTF-8, without surrogates, which have no encoding. */
const encodedAlike: CodePoints = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, lastCodePoint],
];

/** One of these characters, as UTF-8. */
export function utf8(points: CodePoints): Expression {
  const options: Expression[] = [];
  for (const [first, last] of points) {
    for (const [from, to] of encodedAlike) {
      const [low, high] = [Math.max(first, from), Math.min(last, to)];
      if (low <= high) options.push(...byteRuns(encode(low), encode(high)));
    }
  }
  return choice(...options);
}

/** Byte strings from `low` to `high`, of equal length. All bytes but the first run from 0x80 to 0xbf. */
function byteRuns(low: readonly number[], high: readonly number[]): Expression[] {
  const [lowByte = 0, ...lowRest] = low;
  const [highByte = 0, ...highRest] = high;
  if (lowRest.length === 0) return [byteOf([lowByte, highByte])];
  const [min, max] = [lowRest.map(() => 0x80), highRest.map(() => 0xbf)];
  const runs = (byte: number, from: readonly number[], to: readonly number[]): Expression =>
    sequence(byteOf([byte, byte]), choice(...byteRuns(from, to)));
  if (lowByte === highByte) return [runs(lowByte, lowRest, highRest)];
  const wholeLow = lowRest.every((byte) => byte === 0x80);
  const wholeHigh = highRest.every((byte) => byte === 0xbf);
  const [first, last] = [wholeLow ? lowByte : lowByte + 1, wholeHigh ? highByte : highByte - 1];
  return [
    ...(wholeLow ? [] : [runs(lowByte, lowRest, max)]),
    ...(first <= last ? [sequence(byteOf([first, last]), choice(...byteRuns(min, max)))] : []),
    ...(wholeHigh ? [] : [runs(highByte, min, highRest)]),
  ];
}

function encode(point: number): readonly number[] {
  return [...new TextEncoder().encode(String.fromCodePoint(point))];
}

/** The union of sets, sorted and without overlaps. */
export function union(...sets: readonly CodePoints[]): CodePoints {
  const joined: [number, number][] = [];
  for (const [first, last] of sets.flat().toSorted(([a], [b]) => a - b)) {
    const before = joined.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

export function complement(set: CodePoints): CodePoints {
  const rest: ByteRange[] = [];
  let next = 0;
  for (const [first, last] of union(set)) {
    if (first > next) rest.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCodePoint) rest.push([next, lastCodePoint]);
  return rest;
}

export function intersection(a: CodePoints, b: CodePoints): CodePoints {
  return complement(union(complement(a), complement(b)));
}
