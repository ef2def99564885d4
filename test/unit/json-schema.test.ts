import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/index.js";
import { jsonGrammar } from "#dist/grammar/json-grammar.js";
import { jsonSchemaExpression } from "#dist/grammar/json-schema/json-schema.js";
import { compileExpression } from "#dist/grammar/program.js";
import { accepts, automatonOf, randomFrom, walk } from "../support/grammar-walk.js";

const ajv = new Ajv2020({ strict: false, ownProperties: true });
formats.default(ajv);

// "hasOwnProperty" is inherited by every object. ajv fails on "toString", "valueOf" and "constructor": its
// comparison of objects (const, enum) calls them.
const names = fc.constantFrom("a", "b", "name", 'q"uote', "ü", "hasOwnProperty");
const range = (name: string, max: number): fc.Arbitrary<object> =>
  fc.tuple(fc.nat(max), fc.nat(max), fc.boolean(), fc.boolean()).map(([low, more, hasLow, hasHigh]) => ({
    ...(hasLow && { [`min${name}`]: low }),
    ...(hasHigh && { [`max${name}`]: low + more }),
  }));
const bound = fc.oneof(
  fc.integer({ min: -500, max: 500 }),
  fc.integer({ min: -99999, max: 99999 }).map((value) => value / 1000),
);
const numeric = fc
  .tuple(fc.constantFrom("number", "integer"), bound, fc.nat(1000), fc.nat(15))
  .map(([type, low, width, flags]) => ({
    type,
    ...(flags & 1 && { minimum: low }),
    ...(flags & 2 && { exclusiveMinimum: low }),
    ...(flags & 4 && { maximum: low + width + 1 }),
    ...(flags & 8 && { exclusiveMaximum: low + width + 2 }),
  }));
/** Schemas of every supported kind, inside each other. */
const { schema: schemas } = fc.letrec<{ schema: object; leaf: object }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(
      { type: "boolean" },
      { type: "null" },
      { const: { a: [1, "x"] } },
      { enum: ["red", "re", 3, null, "ä"] },
      {},
    ),
    range("Length", 5).map((limits) => ({ type: "string", ...limits })),
    numeric,
    fc
      .constantFrom(
        "date",
        "time",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
        "uri",
      )
      .map((format) => ({ type: "string", format })),
    fc
      .constantFrom("^a[b-d]+$", "[0-9]{3}", "^(x|yz)?\\w\\s.$", '^["\\\\]{2}$', "^[^a-z]{1,3}$")
      .map((pattern) => ({ type: "string", pattern })),
  ),
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    tie("leaf"),
    fc
      .tuple(
        fc.uniqueArray(fc.tuple(names, tie("schema"), fc.boolean()), {
          selector: ([name]) => name,
          maxLength: 4,
        }),
        fc.boolean(),
      )
      .map(([entries, closed]) => ({
        type: "object",
        properties: JSON.parse(
          `{${entries.map(([name, schema]) => `${JSON.stringify(name)}:${JSON.stringify(schema)}`).join()}}`,
        ) as object,
        required: entries.filter(([, , needed]) => needed).map(([name]) => name),
        ...(closed && { additionalProperties: false }),
      })),
    fc
      .tuple(tie("schema"), range("Items", 3))
      .map(([items, limits]) => ({ type: "array", items, ...limits })),
    fc
      .tuple(fc.array(tie("schema"), { minLength: 1, maxLength: 3 }), tie("schema"), range("Items", 3))
      .map(([prefixItems, items, limits]) => ({ type: "array", prefixItems, items, ...limits })),
    tie("schema").map((additionalProperties) => ({ type: "object", additionalProperties, maxProperties: 2 })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    tie("schema").map((inner) => ({ allOf: [inner] })),
  ),
}));

describe("a grammar of a JSON schema", () => {
  it("fits only what a validator accepts", () => {
    let finished = 0;
    fc.assert(
      fc.property(schemas, fc.nat(), (schema, seed) => {
        const validate = ajv.compile(schema);
        const automaton = automatonOf(schema);
        for (let round = 0; round < 3; round += 1) {
          const text = walk(automaton, randomFrom(seed + round));
          if (text === undefined) continue;
          finished += 1;
          expect(validate(JSON.parse(text)), `${text} for ${JSON.stringify(schema)}`).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
    expect(finished).toBeGreaterThan(800);
  }, 120_000);

  it.each(["toString", "valueOf", "constructor", "__proto__"])("requires a property named %s", (name) => {
    const properties = JSON.parse(`{"${name}":{"const":1}}`) as object;
    const automaton = automatonOf({ type: "object", properties, required: [name] });
    expect(accepts(automaton, `{"${name}":1}`)).toBe(true);
    expect(accepts(automaton, `{"${name}":2}`)).toBe(false);
    expect(accepts(automaton, "{}")).toBe(false);
  });

  it("of anything fits any JSON", () => {
    const automaton = automatonOf(true);
    fc.assert(
      fc.property(
        fc.letrec((tie) => ({
          value: fc.oneof(
            { maxDepth: 4 },
            fc.string({ unit: "grapheme" }),
            fc.integer(),
            fc.boolean(),
            fc.constant(null),
            fc.array(tie("value")),
            fc.dictionary(fc.string(), tie("value")),
          ),
        })).value,
        (value) => {
          expect(accepts(automaton, JSON.stringify(value))).toBe(true);
        },
      ),
    );
    for (const text of [
      "",
      "{",
      '{"a":}',
      "[1,]",
      "01",
      "+1",
      ".5",
      "1.",
      "tru",
      '"\n"',
      '"\\x"',
      '"\\ud800"',
      "[1] ",
    ]) {
      expect(accepts(automaton, text), text).toBe(false);
    }
    expect(accepts(automaton, String.raw`" \"\\\/\b\f\n\r\té\ud83d\ude00"`)).toBe(true);
  });

  it("fits whole numbers within bounds and no others", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -12000, max: 12000 }),
        fc.nat(3000),
        fc.array(fc.integer({ min: -15000, max: 15000 })),
        (minimum, width, values) => {
          const maximum = minimum + width;
          const automaton = automatonOf({ type: "integer", minimum, maximum });
          for (const value of [...values, minimum, maximum, minimum - 1, maximum + 1, 0])
            expect(accepts(automaton, String(value)), `${value} in ${minimum}…${maximum}`).toBe(
              value >= minimum && value <= maximum,
            );
        },
      ),
    );
  });

  it.each([
    "^a?b*c+$",
    "b{2,3}",
    "^(ab|c)+?$",
    "^[^a]$|bb",
    "^\\w\\W?$",
    "^.{0,2}$",
    "[a-c]$",
    '^"?\\\\$',
    "^\\u0061[\\d-]$",
  ])("fits what the pattern %s matches and nothing else", (pattern) => {
    const automaton = automatonOf({ type: "string", pattern });
    const expression = new RegExp(pattern, "u");
    const letters = fc.constantFrom("a", "b", "c", "1", "-", " ", '"', "\\", "\n", "é", "😀");
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 5 }), (units) => {
        const text = units.join("");
        expect(accepts(automaton, JSON.stringify(text)), JSON.stringify(text)).toBe(expression.test(text));
      }),
      { numRuns: 500 },
    );
  });

  it("counts characters and not bytes", () => {
    const automaton = automatonOf({ type: "string", minLength: 2, maxLength: 2 });
    expect(
      ["é😀", "\\u00e9\\ud83d\\ude00", "a", "abc"].map((text) => accepts(automaton, `"${text}"`)),
    ).toEqual([true, true, false, false]);
  });

  it("follows references, also to itself", () => {
    const automaton = automatonOf({
      $ref: "#/$defs/tree",
      $defs: { tree: { type: "object", properties: { left: { $ref: "#/$defs/tree" } } } },
    });
    expect(accepts(automaton, '{"left":{"left":{}}}')).toBe(true);
    expect(accepts(automaton, '{"left":1}')).toBe(false);
  });

  it("has every property, in the schema's order, and may omit the optional ones", () => {
    const automaton = automatonOf({ properties: { a: {}, b: {}, c: {} }, required: ["b"] });
    const fitting = ['{"b":1}', '{"a":1,"b":1}', '{"b":1,"c":1}', '{\n  "a": 1,\n  "b": 1,\n  "c": 1\n}'];
    expect(fitting.map((text) => accepts(automaton, text))).toEqual([true, true, true, true]);
    expect(['{"a":1}', "{}", '{"b":1,"a":1}', '{"b":1,}'].map((text) => accepts(automaton, text))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it.each([
    [{ not: { type: "string", minLength: 3 } }, "not"],
    [{ type: "array", uniqueItems: true }, "uniqueItems"],
    [{ type: "array", uniqueItems: true, items: { enum: [1, 5], minimum: 4 } }, "uniqueItems"],
    [{ type: "object", patternProperties: { "(?<=a)b": {} } }, "patternProperties"],
    [{ type: "strin" }, '"type" is "strin"'],
    [{ properties: { a: { type: "string", pattern: "(?=a)" } } }, "#/properties/a"],
    [{ type: "string", pattern: "(" }, "no regular expression"],
    [{ type: "number", multipleOf: 0 }, "multipleOf"],
    [{ $ref: "#/$defs/x" }, "names #/$defs/x"],
    [{ $ref: "http://elsewhere/x" }, "$ref"],
    [{ $ref: "#" }, "itself"],
    [{ anyOf: [{ $ref: "#" }, { type: "null" }] }, "itself"],
    [{ oneOf: [{ type: "string" }, { type: "string", maxLength: 2 }] }, "oneOf"],
    [{ allOf: [{ prefixItems: [true] }, { prefixItems: [false] }] }, "allOf"],
    [{ type: "object", minProperties: 2 }, "minProperties"],
    [{ type: "array", minItems: 100_000 }, "minItems"],
    [{ enum: 3 }, "enum"],
    ["string", "no schema"],
  ])("is refused by name: %j", (schema, what) => {
    expect(() => jsonSchemaExpression(schema)).toThrow(what);
    expect(() => jsonSchemaExpression(schema)).toThrow(BitNetError);
  });

  it.each([
    false,
    { enum: [] },
    { type: "object", properties: { a: false }, required: ["a"] },
    { type: "array", minItems: 2, maxItems: 1 },
    { type: "integer", minimum: 1, maximum: 0 },
    { type: "object", properties: { a: { $ref: "#" } }, required: ["a"] },
  ])("is none where no value fits: %j", (schema) => {
    expect(compileExpression(jsonSchemaExpression(schema))).toBeUndefined();
  });

  it("accepts oneOf if the schemas' alternatives are distinct", () => {
    const automaton = automatonOf({
      oneOf: [
        { type: "object", properties: { kind: { const: "a" }, x: { type: "null" } }, required: ["kind"] },
        { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] },
        { type: "integer" },
      ],
    });
    expect(
      ['{"kind":"a","x":null}', '{"kind":"b"}', "7", '{"kind":"c"}'].map((text) => accepts(automaton, text)),
    ).toEqual([true, true, true, false]);
  });

  it("stays small where a schema was made to be read in ever more ways", () => {
    const list = (maxItems: number): object => ({ type: "array", items: { $ref: "#" }, maxItems });
    const automaton = automatonOf({ anyOf: [list(5), list(6), list(7)] });
    let state = automaton.start;
    for (let depth = 0; depth < 60; depth += 1) {
      const next = automaton.next(state, 0x5b);
      expect(next).toBeDefined();
      state = next ?? state;
    }
  }, 20_000);

  it("survives schemas that are deep, long or wide", () => {
    let deep: object = {};
    for (let depth = 0; depth < 5000; depth += 1) deep = { items: deep };
    expect(() => jsonSchemaExpression(deep)).toThrow("deep");
    const shared = { items: deep };
    for (const schema of [
      deep,
      { const: deep },
      { enum: [1, deep] },
      { properties: { a: { const: deep } } },
      shared,
    ]) {
      const refusal = expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(/at #(\/\w+){8}\/…, values are more than 1000 levels deep/) as string,
      }) as Error;
      expect(() => jsonGrammar(schema)).toThrow(refusal);
      expect(() => jsonSchemaExpression(schema)).toThrow(refusal);
    }
    const circle: Record<string, unknown> = { type: "array" };
    circle.items = circle;
    expect(() => jsonGrammar(circle)).toThrow("levels deep");
    expect(() => jsonGrammar({ properties: { a: { const: 1n } } })).toThrow(
      "at #/properties/a/const, a bigint",
    );
    let fitting: object = [];
    for (let level = 0; level < 990; level += 1) fitting = [fitting];
    expect(() => jsonGrammar({ const: fitting })).not.toThrow();
    const wide = {
      type: "object",
      properties: Object.fromEntries(
        Array.from({ length: 1500 }, (_, index) => [`p${index}`, { type: "null" }]),
      ),
    };
    expect(accepts(automatonOf(wide), '{"p0":null,"p1499":null}')).toBe(true);
    const many = { enum: Array.from({ length: 2500 }, (_, index) => "a".repeat(index)) };
    expect(accepts(automatonOf(many), `"${"a".repeat(2499)}"`)).toBe(true);
  }, 60_000);
});
