import { Ajv2019 } from "ajv/dist/2019.js";
import { expect, test } from "vitest";
import { jsonGrammar } from "#dist/grammar/json-grammar.js";
import { accepts, automatonOf } from "../support/grammar-walk.js";

const string = { type: "string" };
const properties = { a: string, b: string };
const closed = { type: "object", properties };
const pairs = [{}, { a: "x" }, { b: "x" }, { a: "x", b: "y" }];
/** 2019-09 has `dependencies` of draft 7 beside the newer keywords. */
const ajv = new Ajv2019({ strict: false });

/** Schemas with opposites of other schemas in them, and values. The grammar takes what ajv accepts. */
const cases: readonly (readonly [schema: object, values: readonly unknown[]])[] = [
  [{ ...closed, oneOf: [{ required: ["a"] }, { required: ["b"] }] }, pairs],
  [
    {
      ...{ type: "object", properties: { ...properties, c: string } },
      oneOf: [{ required: ["a"] }, { required: ["b"] }, { required: ["c"] }],
    },
    [...pairs, { c: "x" }, { a: "x", c: "y" }, { a: "x", b: "y", c: "z" }],
  ],
  [{ oneOf: [{ enum: ["a", "b"] }, string] }, ["a", "b", "c", 1]],
  [{ oneOf: [{ type: ["string", "null"] }, { type: ["string", "boolean"] }] }, ["a", null, true, 1]],
  [{ oneOf: [{ $ref: "#/$defs/text" }, { type: ["string", "null"] }], $defs: { text: string } }, ["a", null]],
  [{ ...closed, not: { required: ["a"] } }, pairs],
  [{ ...closed, not: { required: ["a", "b"] } }, pairs],
  [{ ...closed, not: { anyOf: [{ required: ["a"] }, { required: ["b"] }] } }, pairs],
  [{ ...closed, not: { allOf: [{ required: ["a"] }, { required: ["b"] }] } }, pairs],
  [{ ...closed, not: { not: { required: ["a"] } } }, pairs],
  [{ ...closed, allOf: [{ not: { required: ["a"] } }, { not: { required: ["b"] } }] }, pairs],
  [{ ...closed, not: { properties: { a: { const: "x" } }, required: ["a"] } }, [...pairs, { a: "z" }]],
  [{ ...closed, not: { properties: { a: { const: "x" } } } }, [...pairs, { a: "z" }]],
  [{ not: string }, ["a", 1, null, true, {}, []]],
  [{ not: { type: ["object", "array", "number"] } }, ["a", 1, 1.5, null, true, {}, []]],
  [{ ...closed, dependentRequired: { a: ["b"] } }, pairs],
  [{ ...closed, dependencies: { a: ["b"], b: ["a"] } }, pairs],
  [{ ...closed, dependencies: { a: { required: ["b"] } } }, pairs],
  [
    { ...closed, dependentSchemas: { a: { properties: { b: { enum: ["q"] } } } } },
    [...pairs, { a: "x", b: "q" }],
  ],
  [{ ...closed, dependentSchemas: { a: false } }, pairs],
  [{ allOf: [{ ...closed, dependentRequired: { a: ["b"] } }, { required: ["a"] }] }, pairs],
];

test.each(cases)("the grammar of %j takes what a validator accepts", (schema, values) => {
  const validate = ajv.compile(schema);
  const automaton = automatonOf(schema);
  const valid = values.filter((value) => validate(value));
  expect(values.filter((value) => accepts(automaton, JSON.stringify(value)))).toEqual(valid);
  // A case without a valid and an invalid value tests nothing.
  expect(valid.length).toBeGreaterThan(0);
  expect(valid.length).toBeLessThan(values.length);
});

test.each([
  // A number that is no integer has no schema of its own.
  [{ not: { type: "integer" } }, /"not" is supported/],
  [{ oneOf: [{ type: "number" }, { type: "integer" }] }, /may accept the same value/],
  [{ oneOf: [{ type: "string", minLength: 2 }, string] }, /may accept the same value/],
  // The opposite names "a", so "a" would count as evaluated.
  [{ ...closed, unevaluatedProperties: false, not: { required: ["a"] } }, /"not" is supported/],
  [
    { ...closed, unevaluatedProperties: false, oneOf: [{ required: ["a"] }, { required: ["b"] }] },
    /may accept the same value/,
  ],
  [{ not: { $ref: "#" } }, /"not" is supported/],
  [{ type: "object", dependentRequired: [] }, /"dependentRequired" is no object/],
])("%j is refused: its opposites cannot be written as a schema", (schema, why) => {
  expect(() => jsonGrammar(schema)).toThrow(why);
});

test.each([
  ["uri-template", "https://example.com/a", "{a"],
  ["byte", "AAAA", "A"],
])("the format %s is kept to", (format, valid, invalid) => {
  const automaton = automatonOf({ type: "string", format });
  expect(accepts(automaton, JSON.stringify(valid))).toBe(true);
  expect(accepts(automaton, JSON.stringify(invalid))).toBe(false);
});

// The opposite of "requires a" names the member a. "unevaluatedProperties" must not see that.
test.each([
  [{ dependentSchemas: { a: { properties: { b: string } } }, unevaluatedProperties: false }],
  [{ allOf: [{ dependencies: { a: ["b"] } }], unevaluatedProperties: false }],
])("refuses dependencies in a schema with unevaluatedProperties: %j", (schema) => {
  expect(() => automatonOf({ type: "object", properties, ...schema })).toThrow(
    /in a schema with "unevaluated…" is not supported/u,
  );
});
