import { expect, test } from "vitest";
import { jsonSchemaExpression } from "#dist/grammar/json-schema/json-schema.js";
import { compileExpression } from "#dist/grammar/program.js";
import { createAutomaton } from "#dist/grammar/automaton.js";
import { accepts, automatonOf } from "../support/grammar-walk.js";

const letters = ["a", "b", "c"];
const items = { enum: letters };
const contains = { const: "a" };

/** All arrays of letters with up to `length` items. */
function arraysOf(length: number): readonly (readonly string[])[] {
  if (length === 0) return [[]];
  const shorter = arraysOf(length - 1);
  return [[], ...letters.flatMap((letter) => shorter.map((rest) => [letter, ...rest]))];
}

/** An acceptor of values. A schema that nothing fits accepts none. */
function acceptorOf(schema: unknown): (value: unknown) => boolean {
  const program = compileExpression(jsonSchemaExpression(schema));
  if (program === undefined) return () => false;
  const automaton = createAutomaton(program);
  return (value) => accepts(automaton, JSON.stringify(value));
}

interface Counts {
  readonly minContains?: number;
  readonly maxContains?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

const counts: readonly Counts[] = [
  {},
  { minContains: 0 },
  { minContains: 2 },
  { minContains: 3, maxItems: 3 },
  { minContains: 3, maxItems: 2 },
  { minContains: 0, maxContains: 1 },
  { maxContains: 0 },
  { maxContains: 1 },
  { minContains: 2, maxContains: 2 },
  { minItems: 3 },
  { minItems: 2, maxItems: 3 },
  { maxContains: 1, minItems: 2, maxItems: 3 },
  { maxItems: 0 },
];

test.each(counts)("contains counts items: %j", (limits) => {
  const { minContains = 1, maxContains = Infinity, minItems = 0, maxItems = Infinity } = limits;
  const fits = acceptorOf({ type: "array", items, contains, ...limits });
  for (const array of arraysOf(4)) {
    const found = array.filter((each) => each === "a").length;
    const isLong = array.length >= minItems && array.length <= maxItems;
    expect([array, fits(array)]).toEqual([array, isLong && found >= minContains && found <= maxContains]);
  }
});

test("an item must fit both its own schema and that of contains", () => {
  const fits = acceptorOf({ items: { type: "integer", maximum: 9 }, contains: { minimum: 5 } });
  for (const good of [[5], [1, 9], [5, 1], [1, 5, 2, 6]]) expect([good, fits(good)]).toEqual([good, true]);
  for (const bad of [[], [1], [10], ["5"], [1, 2]]) expect([bad, fits(bad)]).toEqual([bad, false]);
});

test("contains without items takes any other items", () => {
  const fits = acceptorOf({ contains: { type: "string" } });
  for (const good of [["x"], [1, "x"], [[], { a: 1 }, "x", null]])
    expect([good, fits(good)]).toEqual([good, true]);
  for (const bad of [[], [1], [["x"]]]) expect([bad, fits(bad)]).toEqual([bad, false]);
});

test("items with places of their own count, too", () => {
  const fits = acceptorOf({
    prefixItems: [{ enum: ["a", 1] }, { enum: ["b", 2] }],
    items: { enum: ["a", 3] },
    contains: { type: "string" },
    minContains: 2,
  });
  for (const good of [
    ["a", "b"],
    ["a", 2, "a"],
    [1, "b", 3, "a"],
    [1, 2, "a", "a"],
  ])
    expect([good, fits(good)]).toEqual([good, true]);
  for (const bad of [[], ["a"], ["a", 2], [1, 2, "a"], ["b", "b"]])
    expect([bad, fits(bad)]).toEqual([bad, false]);
});

test("unevaluatedItems does not see items that fit contains", () => {
  const fits = acceptorOf({ type: "array", contains, unevaluatedItems: false });
  for (const good of [["a"], ["a", "a"]]) expect([good, fits(good)]).toEqual([good, true]);
  for (const bad of [[], ["b"], ["a", "b"]]) expect([bad, fits(bad)]).toEqual([bad, false]);
});

test("limits of contains are merged with their default, and mean nothing alone", () => {
  const fits = acceptorOf({
    allOf: [
      { items, contains },
      { contains, minContains: 0, maxContains: 2 },
    ],
  });
  for (const good of [["a"], ["b", "a", "a"]]) expect([good, fits(good)]).toEqual([good, true]);
  for (const bad of [[], ["b"], ["a", "a", "a"]]) expect([bad, fits(bad)]).toEqual([bad, false]);
  const alone = acceptorOf({ allOf: [{ type: "array", items }, { minContains: 2 }] });
  expect([[], ["b"]].map(alone)).toEqual([true, true]);
  expect(acceptorOf({ minContains: 2 })("a text")).toBe(true);
});

test.each([
  [{ items: { type: "number" }, contains: { minimum: 3 }, maxContains: 1 }, /"not" is supported/],
  [{ items, contains, uniqueItems: true }, /"contains" beside "uniqueItems"/],
  [{ items, contains, minContains: 4000, minItems: 4000 }, /more than 4096 rules/],
  [{ contains, minContains: -1 }, /"minContains" is -1/],
  [{ allOf: [{ contains }, { contains: { const: "b" } }] }, /different "contains"/],
])("a count that no grammar can keep is refused: %j", (schema, why) => {
  expect(() => automatonOf({ type: "array", ...schema })).toThrow(why);
});
