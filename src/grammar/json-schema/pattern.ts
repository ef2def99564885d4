import { type CodePoints, complement, lastCodePoint, union } from "../code-points.js";
import { choice, type Expression, repeat, sequence } from "../expression.js";
import { characterOf } from "../json-text.js";

const all: CodePoints = [[0, lastCodePoint]];
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
const lineEnds: CodePoints = [
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

const anyCharacter = characterOf(complement(lineEnds));
const maxRepetitions = 4096;
const maxDepth = 100;

/**
 * The characters of a JSON string that a regular expression matches. As in JSON Schema's `pattern`, it may
 * match anywhere unless it has anchors at its ends.
 *
 * @throws Error naming the unsupported part: lookaround, references to groups, word boundaries, `\p`, anchors
 *   elsewhere.
 */
export function patternCharacters(pattern: string): Expression {
  checkSyntax(pattern);
  const units = Array.from(pattern);
  let at = 0;
  const any = repeat(characterOf(all), 0, Infinity);

  function take(unit: string): boolean {
    if (units[at] !== unit) return false;
    at += 1;
    return true;
  }

  function alternatives(depth: number): Expression {
    if (depth > maxDepth) throw new Error("its groups are too deep");
    const options: Expression[] = [];
    do {
      const parts: Expression[] = [];
      const anchored = depth === 0 && take("^");
      let ended = false;
      while (at < units.length && units[at] !== "|" && units[at] !== ")") {
        if (ended) throw new Error("it has an anchor elsewhere than at its ends");
        if (depth === 0 && take("$")) ended = true;
        else parts.push(quantified(depth));
      }
      if (depth === 0) options.push(sequence(...(anchored ? [] : [any]), ...parts, ...(ended ? [] : [any])));
      else options.push(sequence(...parts));
    } while (take("|"));
    return choice(...options);
  }

  function quantified(depth: number): Expression {
    const body = atom(depth);
    const [min, max] = quantifier() ?? [1, 1];
    if (min > maxRepetitions) throw new Error(`it repeats something more than ${maxRepetitions} times`);
    if (min === 1 && max === 1) return body;
    return repeat(body, min, max === Infinity ? max : Math.max(min, Math.min(max, maxRepetitions)));
  }

  function quantifier(): readonly [number, number] | undefined {
    const simple = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] } as const;
    const unit = units[at];
    let range: readonly [number, number] | undefined;
    if (unit === "*" || unit === "+" || unit === "?") {
      at += 1;
      range = simple[unit];
    } else if (unit === "{") {
      const counts = /^\{(\d+)(,?)(\d*)\}/.exec(units.slice(at, at + 40).join(""));
      if (counts === null) throw new Error("it has a brace that is no quantifier");
      const [whole, min, comma, max] = counts;
      at += whole.length;
      range = [Number(min), comma === "" ? Number(min) : max === "" ? Infinity : Number(max)];
    }
    // A lazy quantifier matches the same texts.
    if (range !== undefined) take("?");
    return range;
  }

  function atom(depth: number): Expression {
    const unit = units[at] ?? "";
    at += 1;
    switch (unit) {
      case "(": {
        if (take("?")) groupKind();
        const body = alternatives(depth + 1);
        take(")");
        return body;
      }
      case "[":
        return characterOf(classOf());
      case ".":
        return anyCharacter;
      case "\\":
        return characterOf(escape());
      case "^":
      case "$":
        throw new Error("it has an anchor elsewhere than at its ends");
      default:
        return characterOf(single(unit.codePointAt(0) ?? 0));
    }
  }

  function groupKind(): void {
    if (take(":")) return;
    if (take("<") && units[at] !== "=" && units[at] !== "!") {
      while (at < units.length && !take(">")) at += 1;
      return;
    }
    throw new Error("it looks around, or has modifiers");
  }

  function classOf(): CodePoints {
    const negated = take("^");
    const sets: CodePoints[] = [];
    while (at < units.length && !take("]")) {
      const first = classMember();
      const [begin] = first;
      if (units[at] === "-" && units[at + 1] !== "]" && begin !== undefined) {
        at += 1;
        const [end] = classMember();
        sets.push([[begin[0], end?.[1] ?? begin[1]]]);
      } else sets.push(first);
    }
    const set = union(...sets);
    return negated ? complement(set) : set;
  }

  function classMember(): CodePoints {
    const unit = units[at] ?? "";
    at += 1;
    if (unit !== "\\") return single(unit.codePointAt(0) ?? 0);
    // In a class, \b is a backspace.
    return take("b") ? single(8) : escape();
  }

  function escape(): CodePoints {
    const unit = units[at] ?? "";
    at += 1;
    const set = classEscapes[unit];
    if (set !== undefined) return set;
    const known = characterEscapes[unit];
    if (known !== undefined) return single(known);
    if (unit === "c") {
      const letter = units[at] ?? "";
      at += 1;
      return single((letter.codePointAt(0) ?? 0) % 32);
    }
    if (unit === "x" || unit === "u") return single(hexEscape(unit));
    if (/[a-zA-Z0-9]/.test(unit)) throw new Error(`it has \\${unit}`);
    return single(unit.codePointAt(0) ?? 0);
  }

  function hexEscape(unit: string): number {
    const rest = units.slice(at, at + 12).join("");
    const braced = unit === "u" ? /^\{([0-9a-fA-F]+)\}/.exec(rest) : null;
    if (braced !== null) {
      at += braced[0].length;
      return parseInt(braced[1] ?? "", 16);
    }
    const length = unit === "x" ? 2 : 4;
    at += length;
    const code = parseInt(rest.slice(0, length), 16);
    const low = /^\\u([dD][c-fC-F][0-9a-fA-F]{2})/.exec(units.slice(at, at + 6).join(""));
    if (code < 0xd800 || code > 0xdbff || low === null) return code;
    at += 6;
    return 0x10000 + ((code - 0xd800) << 10) + parseInt(low[1] ?? "", 16) - 0xdc00;
  }

  return alternatives(0);
}

function checkSyntax(pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`it is no regular expression (${why})`, { cause });
  }
}

function single(point: number): CodePoints {
  return [[point, point]];
}
