import { isWhole, wholeRange } from "../../options/checks.js";
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
import { intersection } from "../intersection.js";
import * as json from "../json-text.js";
import { integersBetween, scaledBetween } from "./number-range.js";
import { refuse } from "./refuse.js";
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
export function integerExpression(fields: Fields, path: string): Expression {
  const found = bounds(fields, path);
  const factor = wholeFactor(fields, path);
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = found ?? {};
  const low = Math.max(min, Math.floor(above) + 1);
  const high = Math.min(max, Math.ceil(below) - 1);
  // Bounds of the safe integers allow all that json.integer writes, and would only enlarge the product.
  const isFree = low <= Number.MIN_SAFE_INTEGER && high >= Number.MAX_SAFE_INTEGER;
  const within = found === undefined || (factor > 1 && isFree) ? json.integer : integersBetween(low, high);
  if (factor === 1) return within;
  try {
    return intersection(within, multiplesOf(factor));
  } catch (error) {
    refuse(path, `"multipleOf" is not supported: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const maxFactor = 1000;

function wholeFactor({ multipleOf: factor = 1 }: Fields, path: string): number {
  if (isWhole(factor, 1, maxFactor)) return factor;
  refuse(path, `"multipleOf" is ${JSON.stringify(factor)} (supported: ${wholeRange(1, maxFactor)})`);
}

/** Digits, with or without a sign, of the multiples of a factor: one rule for each remainder. */
function multiplesOf(factor: number): Expression {
  const remainders = Array.from({ length: factor }, openRule);
  const digit = (remainder: number, value: number): Expression => {
    const next = remainders[(10 * remainder + value) % factor];
    return next === undefined ? nothing : sequence(text(String(value)), use(next));
  };
  const digits = (remainder: number): Expression[] =>
    Array.from({ length: 10 }, (_, value) => digit(remainder, value));
  for (const [remainder, rule] of remainders.entries())
    rule.body = choice(...(remainder === 0 ? [empty] : []), ...digits(remainder));
  return sequence(optional(text("-")), choice(...digits(0)));
}

/** The texts of numbers. */
export function numberExpression(fields: Fields, path: string): Expression {
  const found = bounds(fields, path);
  if (found === undefined && fields.multipleOf === undefined) return json.number;
  const wholes = integerExpression(fields, path);
  if (found === undefined || fields.multipleOf !== undefined) return wholes;
  const decimals = Math.min(maxDecimals, Math.max(2, ...Object.values(found).map(decimalsOf)));
  /** A bound in units of the last decimal. An inexact one moves inward a little. */
  const scaled = (bound: number, inward: 1 | -1): number => {
    const limited = Math.min(Math.max(bound, -largestBound), largestBound);
    if (Number.isFinite(bound) && limited !== bound) refuse(path, `a bound is beyond ${largestBound}`);
    // Exact by way of the decimal text; a multiplication would round.
    if (decimalsOf(limited) <= decimals) return Number(`${limited}e${decimals}`);
    return Math.round(limited * 10 ** decimals) + 2 * inward;
  };
  const { min, max, above, below } = found;
  const low = Math.max(scaled(min, 1), above === -Infinity ? -Infinity : scaled(above, 1) + 1);
  const high = Math.min(scaled(max, -1), below === Infinity ? Infinity : scaled(below, -1) - 1);
  return choice(wholes, scaledBetween(low, high, decimals));
}
