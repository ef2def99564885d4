import { expect, test } from "vitest";
import { jsonGrammar, jsonGrammarAsync } from "#dist/grammar/json-grammar.js";
import { createAutomaton } from "#dist/grammar/automaton.js";
import { jsonSchemaExpression } from "#dist/grammar/json-schema/json-schema.js";
import { compileExpression } from "#dist/grammar/program.js";
import { loadModel, type SchemaWarning } from "#dist/index.js";
import { starterPath } from "../support/golden-path.js";
import { accepts } from "../support/grammar-walk.js";

const string = { type: "string" };
const list = { type: "array", items: string };

/** Schemas, the keywords that are left out, values that are written in spite of them, and others. */
const cases: readonly {
  readonly schema: object;
  readonly leftOut: readonly string[];
  readonly written: readonly unknown[];
  readonly never: readonly unknown[];
}[] = [
  {
    schema: {
      ...{ type: "array", items: { enum: ["a", "b"] }, uniqueItems: true },
      ...{ contains: { const: "a" }, minContains: 2 },
    },
    leftOut: ["# contains", "# minContains"],
    written: [[], ["b"]],
    never: [["a", "a"], [1]],
  },
  {
    schema: {
      type: "object",
      properties: {
        a: { type: "string", pattern: "(a)\\1", maxLength: 2 },
        b: { type: "integer", minimum: 3 },
      },
      required: ["a"],
    },
    leftOut: ["#/properties/a pattern"],
    written: [{ a: "x" }, { a: "", b: 3 }],
    never: [{ a: "xxx" }, { a: "x", b: 2 }, { b: 3 }],
  },
  {
    schema: {
      type: "object",
      properties: { a: string, b: string },
      dependentRequired: { a: ["b"] },
      unevaluatedProperties: false,
    },
    leftOut: ["# dependentRequired"],
    written: [{ a: "x" }, { a: "x", b: "y" }],
    never: [{ c: "x" }],
  },
  {
    schema: { ...list, uniqueItems: true, maxItems: 2 },
    leftOut: ["# uniqueItems"],
    written: [["a", "a"]],
    never: [["a", "b", "c"]],
  },
  {
    schema: { oneOf: [{ type: "integer" }, { type: "integer", minimum: 2 }, { type: "null" }] },
    leftOut: ["# oneOf"],
    written: [1, 3, null],
    never: [true],
  },
  {
    schema: {
      anyOf: [{ required: ["a"] }, { required: ["b"] }],
      oneOf: [{ type: "object" }, { minProperties: 0 }],
      properties: { a: string, b: string },
    },
    leftOut: ["#/anyOf/0 oneOf", "#/anyOf/1 oneOf"],
    written: [{ a: "x" }, { b: "x" }],
    never: [{}],
  },
  {
    schema: { ...string, not: { pattern: "a" }, maxLength: 1 },
    leftOut: ["# not"],
    written: ["a"],
    never: ["bb"],
  },
  {
    schema: {
      allOf: [
        { type: "array", prefixItems: [string] },
        { prefixItems: [{ type: "integer" }] },
        { type: "array", maxItems: 1 },
      ],
    },
    leftOut: ["# allOf"],
    written: [["a"]],
    never: [[1], 1],
  },
  {
    schema: { type: "object", patternProperties: { "(a)\\1": string }, additionalProperties: false },
    leftOut: ["# patternProperties", "# additionalProperties"],
    written: [{ aa: "x" }],
    never: [1],
  },
  {
    schema: { type: "object", propertyNames: { pattern: "(a)\\1" }, additionalProperties: string },
    leftOut: ["# propertyNames"],
    written: [{ x: "a" }],
    never: [{ x: 1 }],
  },
  {
    schema: {
      $defs: { tags: { ...list, uniqueItems: true } },
      properties: { a: { $ref: "#/$defs/tags" } },
    },
    leftOut: ["#/properties/a/$ref uniqueItems"],
    written: [{ a: ["x", "x"] }],
    never: [{ a: 1 }],
  },
  {
    schema: { properties: { a: string, b: string }, not: { minProperties: 2 }, required: ["a"] },
    leftOut: ["# not"],
    written: [{ a: "x" }, { a: "x", b: "y" }],
    never: [{}],
  },
  { schema: { type: "number", multipleOf: 1e-20 }, leftOut: ["# multipleOf"], written: [0.5], never: ["a"] },
  { schema: { ...string, minLength: 5000 }, leftOut: ["# minLength"], written: ["a"], never: [1] },
  { schema: { ...list, maxItems: 1 }, leftOut: [], written: [["a"]], never: [["a", "b"]] },
];

test.each(cases)(
  "only unsupported keywords are left out: $leftOut",
  async ({ schema, leftOut, written, never }) => {
    const warnings: SchemaWarning[] = [];
    const program = compileExpression(jsonSchemaExpression(schema, (warning) => warnings.push(warning)));
    const named = warnings.map(({ path, keyword }) => `${path} ${keyword}`);
    expect([...new Set(named)]).toEqual(leftOut);
    for (const { message } of warnings) expect(message).not.toBe("");
    if (program === undefined) throw new Error("nothing fits");
    const automaton = createAutomaton(program);
    for (const value of written)
      expect([value, accepts(automaton, JSON.stringify(value))]).toEqual([value, true]);
    for (const value of never)
      expect([value, accepts(automaton, JSON.stringify(value))]).toEqual([value, false]);

    const grammar = jsonGrammar(schema, { isLoose: true });
    expect(grammar.warnings.map(({ path, keyword }) => `${path} ${keyword}`)).toEqual(leftOut);
    // The order of the two calls does not matter: a loose grammar is never taken for a strict one.
    if (leftOut.length > 0) {
      expect(() => jsonGrammar(schema)).toThrow(/Cannot keep to the JSON schema/);
      await expect(jsonGrammarAsync(schema)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const copy = JSON.parse(JSON.stringify({ ...schema, title: "other" })) as object;
    expect((await jsonGrammarAsync(copy, { isLoose: true })).warnings).toEqual(grammar.warnings);
  },
);

test.each([
  [{ type: "string", pattern: "(" }, /no regular expression/],
  [{ type: "strin" }, /"type" is "strin"/],
  [{ $ref: "#/nothing" }, /there is nothing/],
  [{ type: "array", minItems: -1 }, /"minItems" is -1/],
  [{ type: "object", properties: { a: 1 } }, /there is no schema/],
])("an invalid schema is refused anyway: %j", (schema, why) => {
  expect(() => jsonGrammar(schema, { isLoose: true })).toThrow(why);
});

test("a caller receives the keywords that its text may violate, before the text", async () => {
  await using model = await loadModel(starterPath, { threads: 1 });
  const jsonSchema = { ...list, maxItems: 1, items: { enum: ["a"] }, not: { minItems: 2 } };
  const order: unknown[] = [];
  const onSchemaWarnings = (warnings: readonly SchemaWarning[]): unknown => order.push(warnings);
  const options = { jsonSchema, temperature: 0, onSchemaWarnings };
  for await (const { text } of model.generate("A list:", options)) order.push(text);
  expect(order[0]).toMatchObject([{ path: "#", keyword: "not" }]);
  expect([[], ["a"]]).toContainEqual(JSON.parse(order.slice(1).join("")));
  await expect(model.complete("A list:", { jsonSchema })).rejects.toThrow(/"not" is supported/);

  const none: unknown[] = [];
  const kept = { enum: ["a"] };
  await model.complete("A:", { jsonSchema: kept, onSchemaWarnings: (warnings) => none.push(warnings) });
  expect(none).toEqual([]);
});
