import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { jsonGrammar } from "#dist/grammar/json-grammar.js";
import { accepts, automatonOf } from "../support/grammar-walk.js";

const ajv = new Ajv2020({ strict: false });
const x = { type: "integer" };
const y = { type: "string" };
const kind = { enum: ["a", "b", "c"] };
const when = (constant: unknown, then: unknown, otherwise?: unknown): object => ({
  if: { properties: { kind: { const: constant } }, required: ["kind"] },
  then,
  ...(otherwise !== undefined && { else: otherwise }),
});
const needs = (...names: string[]): object => ({ required: names });

/** Every schema names the members kind, x and y. */
const schemas: Readonly<Record<string, object>> = {
  "then and else": { properties: { kind, x, y }, ...when("a", needs("x"), needs("y")) },
  "no else": { properties: { kind, x, y }, required: ["kind"], ...when("a", needs("x")) },
  "a condition that an absent member fits": {
    properties: { kind, x, y },
    if: { properties: { kind: { const: "a" } } },
    then: needs("x"),
    else: needs("y"),
  },
  "several conditions": {
    properties: { kind, x, y },
    required: ["kind"],
    allOf: [when("a", needs("x")), when("b", needs("y")), when("c", { properties: { x: { minimum: 5 } } })],
  },
  "a chain of conditions": {
    properties: { kind, x, y },
    ...when("a", needs("x"), when("b", needs("y"), { properties: { x: { minimum: 5 } } })),
  },
  "any other string": { properties: { kind: y, x, y }, ...when("a", needs("x"), needs("y")) },
  "a boolean": {
    properties: { kind: { type: "boolean" }, x, y },
    required: ["kind"],
    ...when(true, needs("x"), { properties: { x: false } }),
  },
  "the presence of a member": {
    properties: { kind, x, y },
    if: { required: ["x"] },
    then: needs("y"),
    else: { properties: { y: { const: "z" } } },
  },
  "other types than objects": {
    type: ["object", "null"],
    properties: { kind, x, y },
    if: { type: "object", properties: { kind: { const: "a" } }, required: ["kind"] },
    then: needs("x"),
    else: { type: "null" },
  },
  "null fits properties": {
    type: ["object", "null"],
    properties: { kind, x, y },
    ...when("a", { type: "object", ...needs("x") }),
  },
  "several members": {
    properties: { kind, x, y },
    if: { properties: { kind: { enum: ["a", "b"] }, x: { const: 1 } }, required: ["kind", "x"] },
    then: needs("y"),
    else: { properties: { y: false } },
  },
  "a forbidden value": { properties: { kind, x, y }, ...when("a", false) },
  references: {
    $defs: { needsX: needs("x"), isA: { properties: { kind: { const: "a" } }, required: ["kind"] } },
    properties: { kind, x, y },
    if: { $ref: "#/$defs/isA" },
    then: { $ref: "#/$defs/needsX" },
  },
  "additional properties": {
    properties: { kind, x },
    additionalProperties: false,
    ...when("a", needs("x"), { properties: { y } }),
  },
  "a condition that always holds": { properties: { kind, x, y }, if: {}, then: needs("x"), else: needs("y") },
  "a condition that never holds": {
    properties: { kind, x, y },
    if: false,
    then: needs("x"),
    else: needs("y"),
  },
};

const some = <T>(values: readonly T[]): readonly (T | undefined)[] => [undefined, ...values];
const values: readonly unknown[] = [
  null,
  ...some<unknown>(["a", "b", "c", "d", true, false]).flatMap((ofKind) =>
    some<unknown>([1, 7, "s"]).flatMap((ofX) =>
      some<unknown>(["z", "q", 3]).map((ofY) => ({
        ...(ofKind !== undefined && { kind: ofKind }),
        ...(ofX !== undefined && { x: ofX }),
        ...(ofY !== undefined && { y: ofY }),
      })),
    ),
  ),
];

test.each(Object.entries(schemas))("if, then and else by members are kept to exactly: %s", (_, schema) => {
  const whole = { type: "object", ...schema };
  const automaton = automatonOf(whole);
  const isValid = ajv.compile(whole);
  let valid = 0;
  for (const value of values) {
    const expected = isValid(value);
    expect([value, accepts(automaton, JSON.stringify(value))]).toEqual([value, expected]);
    if (expected) valid += 1;
  }
  expect(valid).toBeGreaterThan(0);
});

test("a member without a schema of its own gets values of the constant's type", () => {
  const automaton = automatonOf({
    type: "object",
    properties: { x },
    ...when("a", needs("x"), needs("kind")),
  });
  for (const value of [{ x: 1, kind: "a" }, { kind: "b" }, { x: 1, kind: "b" }])
    expect([value, accepts(automaton, JSON.stringify(value))]).toEqual([value, true]);
  for (const value of [{ kind: "a" }, { x: 1 }, {}])
    expect([value, accepts(automaton, JSON.stringify(value))]).toEqual([value, false]);
});

test.each([
  [{ if: { minProperties: 2 }, then: needs("x") }, /"if" is supported for/],
  [{ if: { properties: { x: { minimum: 2 } } }, then: needs("x") }, /something else than constants/],
  [{ if: { type: "array" }, then: needs("x") }, /"if" is supported for/],
  [{ if: 3, then: needs("x") }, /"if" is no schema/],
])("other conditions are refused: %j", (schema, why) => {
  expect(() => jsonGrammar({ type: "object", properties: { kind, x, y }, ...schema })).toThrow(why);
});

test.each([
  ["an anchor", { $defs: { t: { $anchor: "text", type: "string" } }, $ref: "#text" }],
  ["an anchor of draft 7", { definitions: { t: { $id: "#text", type: "string" } }, $ref: "#text" }],
  [
    "an $id",
    { $defs: { t: { $id: "https://a.example/text", type: "string" } }, $ref: "https://a.example/text" },
  ],
  [
    "a relative $id",
    {
      $id: "https://a.example/all.json",
      $defs: { t: { $id: "text.json", type: "string" } },
      $ref: "text.json",
    },
  ],
  [
    "a path in an $id",
    {
      $id: "https://a.example/all.json",
      $defs: { t: { $id: "text.json", $defs: { s: { type: "string" } } } },
      $ref: "text.json#/$defs/s",
    },
  ],
  [
    "the whole schema by its $id",
    {
      $id: "https://a.example",
      anyOf: [{ type: "string" }, { type: "array", items: { $ref: "https://a.example" } }],
    },
  ],
])("$ref takes %s", (_, schema) => {
  const automaton = automatonOf(schema);
  expect(["x", 1].map((value) => accepts(automaton, JSON.stringify(value)))).toEqual([true, false]);
});

test("a schema refers to itself by its $id", () => {
  const $id = "https://a.example/tree";
  const automaton = automatonOf({ $id, anyOf: [{ type: "null" }, { type: "array", items: { $ref: $id } }] });
  expect([[[], [null]], 1].map((value) => accepts(automaton, JSON.stringify(value)))).toEqual([true, false]);
});

test.each([
  ["an unknown name", { $ref: "#text" }, /there is nothing/],
  ["another document", { $ref: "https://a.example/text" }, /expected "#\/…"/],
  [
    "an ambiguous name",
    { $defs: { a: { $anchor: "t", type: "string" }, b: { $anchor: "t" } }, $ref: "#t" },
    /several schemas have this name/,
  ],
  [
    // Its "#" is the inner schema.
    "a path within a schema with an $id of its own",
    { $defs: { s: { $id: "https://a.example/s", items: { $ref: "#" } } }, $ref: "#/$defs/s" },
    /within a schema with an "\$id" of its own/,
  ],
])("$ref refuses %s", (_, schema, why) => {
  expect(() => jsonGrammar(schema)).toThrow(why);
});

test("a condition that fails evaluates no members", () => {
  const condition = { properties: { kind: { const: "a" } }, required: ["kind"] };
  const open = { if: condition, else: { properties: { y } }, unevaluatedProperties: false };
  expect(() => jsonGrammar(open)).toThrow(/"if" beside "unevaluatedProperties"/);
  const closed = automatonOf({ ...open, properties: { kind } });
  for (const value of [{ kind: "b" }, { kind: "a" }])
    expect([value, accepts(closed, JSON.stringify(value))]).toEqual([value, true]);
});
