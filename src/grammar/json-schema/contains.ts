import type { Steps } from "../../text/slices.js";
import { choice, type Expression, openRule, type Rule, sequence, text, use } from "../expression.js";
import * as json from "../json-text.js";
import { counts } from "./counts.js";
import { cannotKeep } from "./refuse.js";
import type { SubSchema } from "./schema-reader.js";
import type { Fields } from "./schema-fields.js";

/** Limit of the rules of one array: one for each count of items and of contained ones. */
const maxRules = 4096;

/** The items of an array, by their position. */
export interface ItemSchemas {
  readonly listed: readonly unknown[];
  /** The schema of the items after those. */
  readonly rest: unknown;
  readonly min: number;
  readonly max: number;
}

/** An item that counts for `contains`, and one that does not, or need not. */
interface ItemTexts {
  readonly contained: Expression;
  readonly other: Expression;
}

/** How many items must fit `contains`. Undefined if any number may. */
export function containedCounts(fields: Fields, path: string): readonly [number, number] | undefined {
  if (fields.contains === undefined) return undefined;
  const given = { minContains: fields.minContains ?? 1, maxContains: fields.maxContains };
  const [min, max] = counts(given, "Contains", path);
  return min === 0 && max === Infinity ? undefined : [min, max];
}

/**
 * The texts of arrays with `contains`. A rule knows how many items there are, and how many of them count.
 * With `maxContains`, the others must not fit `contains`.
 */
export function* containingArray(
  contains: unknown,
  [least, most]: readonly [number, number],
  { listed, rest, min, max }: ItemSchemas,
  path: string,
  within: SubSchema,
): Steps<Expression> {
  // Beyond these counts, all rules are alike.
  const lastLength = max === Infinity ? Math.max(min, listed.length) : max;
  const lastCount = most === Infinity ? least : most;
  if ((lastLength + 1) * (lastCount + 1) > maxRules)
    cannotKeep(path, "contains", `"contains" with these limits needs more than ${maxRules} rules`);
  function* textsOf(item: unknown): Steps<ItemTexts> {
    const contained = yield* within(both(item, contains), `${path}/contains`);
    const other = most === Infinity ? item : both(item, { not: contains });
    return { contained, other: yield* within(other, `${path}/contains`) };
  }
  const listedTexts: ItemTexts[] = [];
  for (const item of listed) listedTexts.push(yield* textsOf(item));
  const restTexts = yield* textsOf(rest);

  const end = sequence(json.space, text("]"));
  const rules = new Map<string, Rule>();
  const open: { readonly rule: Rule; readonly length: number; readonly count: number }[] = [];
  function after(length: number, count: number): Expression {
    const [knownLength, knownCount] = [Math.min(length, lastLength), Math.min(count, lastCount)];
    const key = `${knownLength},${knownCount}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      rule = openRule();
      rules.set(key, rule);
      open.push({ rule, length: knownLength, count: knownCount });
    }
    return use(rule);
  }
  function item(length: number, count: number): Expression {
    const { contained, other } = listedTexts[length] ?? restTexts;
    const uncounted = sequence(other, after(length + 1, count));
    // Without `maxContains`, an item that need not count is one of the others.
    if (count >= (most === Infinity ? least : most)) return uncounted;
    return choice(sequence(contained, after(length + 1, count + 1)), uncounted);
  }

  const first = max === 0 ? [] : [item(0, 0)];
  const whole = choice(...(min === 0 && least === 0 ? [text("]")] : []), ...first);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    yield;
    const { rule, length, count } = next;
    const another = length < max ? [sequence(text(","), json.space, item(length, count))] : [];
    rule.body = choice(...(length >= min && count >= least ? [end] : []), ...another);
  }
  return sequence(text("["), json.space, whole);
}

function both(item: unknown, other: unknown): unknown {
  return item === true ? other : { allOf: [item, other] };
}
