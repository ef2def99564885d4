import type { Steps } from "../../text/slices.js";
import {
  choice,
  empty,
  type Expression,
  nothing,
  openRule,
  optional,
  sequence,
  text,
  use,
} from "../expression.js";
import * as json from "../json-text.js";
import { intersection, type StateBudget } from "./intersection.js";
import { integersBetween, scaledBetween } from "./number-range.js";
import { cannotKeep, refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly above: number;
  readonly below: number;
}

const maxDecimals = 6;
/** Larger bounds would lose decimals. */
const largestBound = 1e9;

function decimalsOf(bound: number): number {
  if (!Number.isFinite(bound)) return 0;
  const spelt = String(bound);
  if (spelt.includes("e")) return Infinity;
  return spelt.split(".")[1]?.length ?? 0;
}

/** Magnitudes of 15 digits. */
const largestUnits = 1e15 - 1;
const maxRemainders = 1000;

/** `multipleOf` as a number of units of its last decimal. */
function stepOf(
  { multipleOf }: Fields,
  path: string,
): { readonly units: number; readonly decimals: number } | undefined {
  if (multipleOf === undefined) return undefined;
  if (typeof multipleOf !== "number" || !(multipleOf > 0))
    refuse(path, `"multipleOf" is ${JSON.stringify(multipleOf)} (expected a number above 0)`);
  const decimals = decimalsOf(multipleOf);
  const units = decimals > maxDecimals ? Infinity : Number(`${multipleOf}e${decimals}`);
  if (units > maxRemainders)
    cannotKeep(
      path,
      "multipleOf",
      `"multipleOf" has more than ${maxDecimals} decimals, or is above ${maxRemainders} of them`,
    );
  return { units, decimals };
}

/** Keeps numbers whose digits, without the point, are a multiple. */
function* multiplesOf(units: number, numbers: Expression, budget: StateBudget): Steps<Expression> {
  if (units === 1) return numbers;
  const rules = Array.from({ length: units }, openRule);
  for (const [remainder, rule] of rules.entries()) {
    const digits = Array.from({ length: 10 }, (_, digit) => {
      const next = rules[(remainder * 10 + digit) % units];
      return next === undefined ? nothing : sequence(text(String(digit)), use(next));
    });
    const point = sequence(text("."), use(rule));
    rule.body = choice(...(remainder === 0 ? [empty] : []), ...digits, point);
  }
  const [zero = openRule()] = rules;
  const multiples = sequence(optional(text("-")), use(zero));
  return yield* intersection([{ expression: numbers }, { expression: multiples }], budget);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function bounds(fields: Fields, path: string): Bounds | undefined {
  const bound = (name: string): number | undefined => {
    const value = fields[name];
    if (value === undefined || typeof value === "number") return value;
    refuse(path, `"${name}" is ${JSON.stringify(value)} (expected a number)`);
  };
  const [above, below] = [bound("exclusiveMinimum"), bound("exclusiveMaximum")];
  const [min, max] = [bound("minimum"), bound("maximum")];
  if (above === undefined && below === undefined && min === undefined && max === undefined) return undefined;
  return {
    min: min ?? -Infinity,
    max: max ?? Infinity,
    above: above ?? -Infinity,
    below: below ?? Infinity,
  };
}

/** The texts of integers. */
export function* integerExpression(fields: Fields, path: string, budget: StateBudget): Steps<Expression> {
  const step = stepOf(fields, path);
  const wholes = integersWithin(fields, path);
  if (step === undefined) return wholes;
  const units = step.units / greatestDivisor(step.units, 10 ** step.decimals);
  return yield* multiplesOf(units, wholes, budget);
}

function integersWithin(fields: Fields, path: string): Expression {
  const found = bounds(fields, path);
  if (found === undefined) return json.integer;
  const { min, max, above, below } = found;
  return integersBetween(Math.max(min, Math.floor(above) + 1), Math.min(max, Math.ceil(below) - 1));
}

/** The texts of numbers. */
export function* numberExpression(fields: Fields, path: string, budget: StateBudget): Steps<Expression> {
  const found = bounds(fields, path);
  if (found === undefined && fields.multipleOf === undefined) return json.number;
  const wholes = yield* integerExpression(fields, path, budget);
  const step = stepOf(fields, path);
  if (step?.decimals === 0) return wholes;
  const limits = found ?? { min: -Infinity, max: Infinity, above: -Infinity, below: Infinity };
  const decimals =
    step?.decimals ?? Math.min(maxDecimals, Math.max(2, ...Object.values(limits).map(decimalsOf)));
  /** A bound in units of the last decimal. An inexact one moves inward a little. */
  const scaled = (bound: number, inward: 1 | -1): number => {
    const limited = Math.min(Math.max(bound, -largestBound), largestBound);
    if (Number.isFinite(bound) && limited !== bound) {
      // A smaller range of the same sign still fits.
      if (Math.sign(bound) === -inward) return -inward * largestBound * 10 ** decimals;
      refuse(path, `a bound is beyond ${largestBound}`);
    }
    // Exact by way of the decimal text; a multiplication would round.
    if (decimalsOf(limited) <= decimals) return Number(`${limited}e${decimals}`);
    return Math.round(limited * 10 ** decimals) + 2 * inward;
  };
  const { min, max, above, below } = limits;
  const low = Math.max(scaled(min, 1), above === -Infinity ? -Infinity : scaled(above, 1) + 1);
  const high = Math.min(scaled(max, -1), below === Infinity ? Infinity : scaled(below, -1) - 1);
  const end = step === undefined ? Infinity : largestUnits;
  const fractions = scaledBetween(Math.max(low, -end), Math.min(high, end), decimals);
  return choice(wholes, step === undefined ? fractions : yield* multiplesOf(step.units, fractions, budget));
}
