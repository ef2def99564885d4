import type { Steps } from "../../text/slices.js";
import { createAutomaton } from "../automaton.js";
import { asRule, type Expression, nothing, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { compileSteps } from "../program.js";
import { counts } from "./counts.js";
import { type Condition, intersection, type Lengths, longest, type StateBudget } from "./intersection.js";
import { isPattern, patternConditions } from "./pattern.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields } from "./schema-fields.js";
import { stringFormats } from "./string-formats.js";

/** The texts of strings. Conditions may also stand in `allOf`. A format that is not known is a note. */
export function* stringExpression(fields: Fields, path: string, budget: StateBudget): Steps<Expression> {
  const all = [fields, ...(Array.isArray(fields.allOf) ? fields.allOf.filter(isFields) : [])];
  const limits = all.map((each) => counts(each, "Length", path));
  const lengths: Lengths = {
    min: Math.max(...limits.map(([min]) => min)),
    max: Math.min(...limits.map(([, max]) => max)),
  };
  const patterns = distinct(all.map(({ pattern }) => pattern));
  const formats = distinct(all.map(({ format }) => format)).filter(
    (format): format is string => typeof format === "string" && Object.hasOwn(stringFormats, format),
  );
  for (const pattern of patterns) if (typeof pattern !== "string") refuse(path, '"pattern" is no string');
  if (patterns.length === 0 && formats.length === 0) return json.stringOf(lengths.min, lengths.max);
  const key = JSON.stringify([patterns, formats, lengths.min, String(lengths.max)]);
  try {
    const found = known.get(key);
    if (found !== undefined) {
      budget.useOnce(key, found.states);
      return sequence(text('"'), found.expression, text('"'));
    }
    const before = budget.used;
    const expression = asRule(yield* characters(patterns as readonly string[], formats, lengths, budget));
    const states = budget.used - before;
    budget.useOnce(key, 0);
    if (known.size >= maxKnown) known.clear();
    known.set(key, { expression, states });
    return sequence(text('"'), expression, text('"'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const keyword = patterns.length > 0 ? "pattern" : "format";
    const problem = `"${keyword}" is not supported: ${why}`;
    if (!(patterns as readonly string[]).every(isPattern)) refuse(path, problem);
    cannotKeep(path, keyword, problem);
  }
}

/** Made once for each restriction: a schema may use it in a hundred fields. */
const known = new Map<string, { readonly expression: Expression; readonly states: number }>();
const maxKnown = 256;

function* characters(
  patterns: readonly string[],
  formats: readonly string[],
  limits: Lengths,
  budget: StateBudget,
): Steps<Expression> {
  const wanted = yield* conditionsOf(patterns, budget);
  const named = yield* conditionsOf(
    formats.map((format) => stringFormats[format] ?? ""),
    budget,
  );
  const all = [...wanted, ...named].filter(({ negated }) => negated !== true);
  // A length limit that every text keeps would only multiply the states.
  const max = all.some(({ expression }) => longest(expression) <= limits.max) ? Infinity : limits.max;
  let min = limits.min;
  if (min === 1) {
    for (const { expression } of all) if (!(yield* fitsEmpty(expression))) min = 0;
  }
  const [first, second] = [...wanted, ...named];
  if (min === 0 && max === Infinity && second === undefined) return first?.expression ?? nothing;
  const both = yield* intersection([...wanted, ...named], budget, { min, max });
  if (wanted.length === 0 || named.length === 0) return both;
  if ((yield* compileSteps(both)) !== undefined) return both;
  // zod's times have no offset, and the format "time" needs one. JSON Schema lets a format be a note.
  return yield* intersection(wanted, budget, { min, max });
}

function* conditionsOf(patterns: readonly string[], budget: StateBudget): Steps<readonly Condition[]> {
  const conditions: Condition[] = [];
  for (const pattern of patterns) conditions.push(...(yield* patternConditions(pattern, budget)));
  return conditions;
}

function* fitsEmpty(expression: Expression): Steps<boolean> {
  const program = yield* compileSteps(expression);
  return program !== undefined && createAutomaton(program).start.accepting;
}

function distinct(values: readonly unknown[]): readonly unknown[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}
