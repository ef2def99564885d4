import type { Steps } from "../../text/slices.js";
import { type CodePoints, complement, lastCodePoint } from "../code-points.js";
import { asRule, choice, type Expression, repeat, sequence } from "../expression.js";
import { characterOf } from "../json-text.js";
import { classOf, escape, lineEnds, single } from "./character-class.js";
import { type Cursor, quantifier, take } from "./cursor.js";
import { type Condition, intersection, type StateBudget } from "./intersection.js";
import { loadProperties } from "./unicode-property.js";

const all: CodePoints = [[0, lastCodePoint]];
const anyCharacter = characterOf(complement(lineEnds));
const anchorElsewhere = "it has an anchor elsewhere than at its ends";
const lookAround = "it looks around where that is not supported, or has modifiers";
const maxRepetitions = 4096;
const maxDepth = 100;
/** Most classes have fewer. `\\p{L}` has 650. */
const maxInlineRanges = 16;

/**
 * Conditions on the characters of a JSON string that a regular expression matches. As in JSON Schema's
 * `pattern`, it may match anywhere unless it has anchors at its ends.
 *
 * @throws Error naming the unsupported part: look-behind, a look-ahead with text after its group,
 *   references to groups, word boundaries, anchors elsewhere.
 */
export function* patternConditions(pattern: string, budget: StateBudget): Steps<readonly Condition[]> {
  checkSyntax(pattern);
  yield* loadProperties(pattern);
  const cursor: Cursor = { units: Array.from(pattern), at: 0 };
  const { units } = cursor;
  const any = asRule(repeat(characterOf(all), 0, Infinity));
  const characters = new Map<string, Expression>();
  /** Look-aheads at the start of the only alternative: an intersection with more conditions is smaller. */
  const whole: Condition[] = [];

  /** @param within what encloses the alternatives: nothing, a group, or a look-ahead at the text's start. */
  function* alternatives(
    depth: number,
    within: "nothing" | "group" | "start" | "look-ahead",
  ): Steps<Expression> {
    if (depth > maxDepth) throw new Error("its groups are too deep");
    const options: Expression[] = [];
    const ends = within !== "group";
    let looks = false;
    do {
      const parts: Expression[] = [];
      const ahead: { readonly from: number; readonly condition: Condition }[] = [];
      const anchored = (within === "nothing" || within === "start") && take(cursor, "^");
      let ended = false;
      while (cursor.at < units.length && units[cursor.at] !== "|" && units[cursor.at] !== ")") {
        if (ended) throw new Error(anchorElsewhere);
        if (ends && take(cursor, "$")) ended = true;
        else if (looksAhead()) {
          const atStart = anchored && parts.length === 0;
          if (!atStart && within !== "group" && !anchored) throw new Error(lookAround);
          ahead.push({
            from: parts.length,
            condition: yield* lookAhead(depth, atStart ? "start" : "look-ahead"),
          });
        } else parts.push(yield* quantified(depth));
      }
      if (within === "nothing" && !anchored) parts.unshift(any);
      if (ends && !ended) parts.push(any);
      looks ||= ahead.length > 0;
      const only = within === "nothing" && options.length === 0 && units[cursor.at] !== "|";
      if (only && ahead.every(({ from }) => from === 0)) {
        whole.push(...ahead.map(({ condition }) => condition));
        options.push(sequence(...parts));
      } else options.push(yield* withAhead(parts, ahead, budget));
    } while (take(cursor, "|"));
    // A look-ahead sees what follows its group: nothing may.
    if (looks && within === "group" && !/^\)\??(\)\??)*\$$/.test(units.slice(cursor.at).join("")))
      throw new Error(lookAround);
    return choice(...options);
  }

  function looksAhead(): boolean {
    return (
      units[cursor.at] === "(" &&
      units[cursor.at + 1] === "?" &&
      (units[cursor.at + 2] === "=" || units[cursor.at + 2] === "!")
    );
  }

  function* lookAhead(depth: number, within: "start" | "look-ahead"): Steps<Condition> {
    const negated = units[cursor.at + 2] === "!";
    cursor.at += 3;
    const expression = yield* alternatives(depth + 1, within);
    take(cursor, ")");
    return { expression, negated };
  }

  function* quantified(depth: number): Steps<Expression> {
    yield;
    const body = yield* atom(depth);
    const [min, max] = quantifier(cursor) ?? [1, 1];
    if (min > maxRepetitions) throw new Error(`it repeats something more than ${maxRepetitions} times`);
    if (min === 1 && max === 1) return body;
    return repeat(body, min, max === Infinity ? max : Math.max(min, Math.min(max, maxRepetitions)));
  }

  function* atom(depth: number): Steps<Expression> {
    const unit = units[cursor.at] ?? "";
    cursor.at += 1;
    switch (unit) {
      case "(": {
        if (take(cursor, "?")) groupKind();
        const body = yield* alternatives(depth + 1, "group");
        take(cursor, ")");
        return body;
      }
      case "[":
        return characterIn(classOf);
      case ".":
        return anyCharacter;
      case "\\":
        return characterIn(escape);
      case "^":
      case "$":
        throw new Error(anchorElsewhere);
      default:
        return characterIn(() => single(unit.codePointAt(0) ?? 0));
    }
  }

  /** The character whose first unit was taken. Equal ones are made once. */
  function characterIn(read: (cursor: Cursor) => CodePoints): Expression {
    const begin = cursor.at - 1;
    const set = read(cursor);
    const spelling = units.slice(begin, cursor.at).join("");
    const found = characters.get(spelling) ?? characterOf(set);
    // A rule is compiled once, for all its uses.
    const one = set.length > maxInlineRanges && found.kind !== "rule" ? asRule(found) : found;
    characters.set(spelling, one);
    return one;
  }

  function groupKind(): void {
    if (take(cursor, ":")) return;
    if (take(cursor, "<") && units[cursor.at] !== "=" && units[cursor.at] !== "!") {
      while (cursor.at < units.length && !take(cursor, ">")) cursor.at += 1;
      return;
    }
    throw new Error(lookAround);
  }

  return [{ expression: yield* alternatives(0, "nothing") }, ...whole];
}

/** Whether a regular expression is valid. It may have parts that are not supported. */
export function isPattern(pattern: string): boolean {
  try {
    checkSyntax(pattern);
    return true;
  } catch {
    return false;
  }
}

function checkSyntax(pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`it is no regular expression (${why})`, { cause });
  }
}

/** A look-ahead holds for all parts after it. */
function* withAhead(
  parts: readonly Expression[],
  ahead: readonly { readonly from: number; readonly condition: Condition }[],
  budget: StateBudget,
): Steps<Expression> {
  const from = ahead[0]?.from;
  if (from === undefined) return sequence(...parts);
  const here = ahead.filter((each) => each.from === from);
  const later = ahead
    .slice(here.length)
    .map(({ from: position, condition }) => ({ from: position - from, condition }));
  const rest = yield* withAhead(parts.slice(from), later, budget);
  const conditions = [{ expression: rest }, ...here.map(({ condition }) => condition)];
  return sequence(...parts.slice(0, from), yield* intersection(conditions, budget));
}
