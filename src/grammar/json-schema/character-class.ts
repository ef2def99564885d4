import { type CodePoints, complement, union } from "../code-points.js";
import { type Cursor, take } from "./cursor.js";
import { pointsWith } from "./unicode-property.js";

const digits: CodePoints = [[0x30, 0x39]];
const wordCharacters: CodePoints = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const spaces: CodePoints = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
export const lineEnds: CodePoints = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const classEscapes: Readonly<Record<string, CodePoints>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
};
const characterEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };

export function classOf(cursor: Cursor): CodePoints {
  const negated = take(cursor, "^");
  const sets: CodePoints[] = [];
  while (cursor.at < cursor.units.length && !take(cursor, "]")) {
    const first = classMember(cursor);
    const [begin] = first;
    if (cursor.units[cursor.at] === "-" && cursor.units[cursor.at + 1] !== "]" && begin !== undefined) {
      cursor.at += 1;
      const [end] = classMember(cursor);
      sets.push([[begin[0], end?.[1] ?? begin[1]]]);
    } else sets.push(first);
  }
  const set = union(...sets);
  return negated ? complement(set) : set;
}

function classMember(cursor: Cursor): CodePoints {
  const unit = cursor.units[cursor.at] ?? "";
  cursor.at += 1;
  if (unit !== "\\") return single(unit.codePointAt(0) ?? 0);
  // In a class, \b is a backspace.
  return take(cursor, "b") ? single(8) : escape(cursor);
}

export function escape(cursor: Cursor): CodePoints {
  const unit = cursor.units[cursor.at] ?? "";
  cursor.at += 1;
  const set = classEscapes[unit];
  if (set !== undefined) return set;
  const known = characterEscapes[unit];
  if (known !== undefined) return single(known);
  if (unit === "c") {
    const letter = cursor.units[cursor.at] ?? "";
    cursor.at += 1;
    return single((letter.codePointAt(0) ?? 0) % 32);
  }
  if (unit === "p" || unit === "P") return property(cursor, unit);
  if (unit === "x" || unit === "u") return single(hexEscape(cursor, unit));
  if (/[a-zA-Z0-9]/.test(unit)) throw new Error(`it has \\${unit}`);
  return single(unit.codePointAt(0) ?? 0);
}

function property(cursor: Cursor, unit: string): CodePoints {
  const end = cursor.units.indexOf("}", cursor.at);
  const name = cursor.units.slice(cursor.at + 1, end).join("");
  cursor.at = end + 1;
  return unit === "P" ? complement(pointsWith(name)) : pointsWith(name);
}

function hexEscape(cursor: Cursor, unit: string): number {
  const rest = cursor.units.slice(cursor.at, cursor.at + 12).join("");
  const braced = unit === "u" ? /^\{([0-9a-fA-F]+)\}/.exec(rest) : null;
  if (braced !== null) {
    cursor.at += braced[0].length;
    return parseInt(braced[1] ?? "", 16);
  }
  const length = unit === "x" ? 2 : 4;
  cursor.at += length;
  const code = parseInt(rest.slice(0, length), 16);
  const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(cursor.units.slice(cursor.at, cursor.at + 6).join(""));
  if (code < 0xd800 || code > 0xdbff || low === null) return code;
  cursor.at += 6;
  return 0x10000 + ((code - 0xd800) << 10) + parseInt(low[1] ?? "", 16) - 0xdc00;
}

export function single(point: number): CodePoints {
  return [[point, point]];
}
