import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { accepts, automatonOf, randomFrom, walk } from "../support/grammar-walk.js";

const rounds = 40;
const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false });
formats.default(ajv);

const generators: Readonly<Record<string, z.ZodType>> = {
  email: z.email(),
  "email of 40 characters": z.email().max(40),
  uuid: z.uuid(),
  guid: z.guid(),
  "iso.date": z.iso.date(),
  "iso.datetime": z.iso.datetime(),
  "iso.datetime with offsets": z.iso.datetime({ offset: true }),
  "iso.time": z.iso.time(),
  "iso.duration": z.iso.duration(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  cidrv4: z.cidrv4(),
  cidrv6: z.cidrv6(),
  url: z.url(),
  hostname: z.hostname(),
  nanoid: z.nanoid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  xid: z.xid(),
  ksuid: z.ksuid(),
  base64: z.base64(),
  base64url: z.base64url(),
  hash: z.hash("sha256"),
  hex: z.hex(),
  e164: z.e164(),
  emoji: z.emoji(),
  startsWith: z.string().startsWith("ab"),
  endsWith: z.string().endsWith("z"),
  includes: z.string().includes("q"),
  lowercase: z.string().lowercase(),
  uppercase: z.string().uppercase(),
  "regex beside lengths": z
    .string()
    .min(2)
    .max(9)
    .regex(/^[a-c]+$/),
  multipleOf: z.int().multipleOf(5),
  "multipleOf within bounds": z.int().min(3).max(900).multipleOf(7),
  "record of short names": z.record(z.string().max(4), z.number()),
  "record of a pattern": z.record(z.string().regex(/^k\d$/), z.boolean()),
  "record of an enum": z.record(z.enum(["a", "b"]), z.number()),
  "partial record": z.partialRecord(z.enum(["a", "b"]), z.boolean()),
  "array of emails": z.array(z.email()).max(3),
  jwt: z.jwt(),
  halves: z.number().min(0).max(5).multipleOf(0.5),
  float32: z.float32(),
  catchall: z.object({ a: z.int() }).catchall(z.string()),
  never: z.array(z.never()),
  "intersection with an email": z.intersection(z.object({ a: z.int() }), z.object({ b: z.email() })),
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  "discriminated union": z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), date: z.iso.date() }),
    z.object({ kind: z.literal("b"), id: z.uuid() }),
  ]),
};

describe("what zod writes for", () => {
  it.each(Object.entries(generators))("%s is kept to", (_, generator) => {
    const object = z.object({ value: generator });
    const schema = z.toJSONSchema(object);
    const automaton = automatonOf(schema);
    const validate = ajv.compile(schema);
    let drawn = 0;
    for (let round = 0; round < rounds; round += 1) {
      const text = walk(automaton, randomFrom(round + 1));
      if (text === undefined) continue;
      drawn += 1;
      const value: unknown = JSON.parse(text);
      const { success, error } = object.safeParse(value);
      expect(success, `${text} ${error?.message ?? ""}`).toBe(true);
      expect(validate(value), text).toBe(true);
    }
    expect(drawn).toBeGreaterThan(rounds / 4);
  });
});

/** Schemas that pydantic 2 writes for its types. */
const pydantic: Readonly<Record<string, object>> = {
  HttpUrl: { type: "string", format: "uri", minLength: 1, maxLength: 2083 },
  constr: { type: "string", minLength: 2, maxLength: 5, pattern: "^[A-Z]+$" },
  Decimal: {
    anyOf: [{ type: "number" }, { type: "string", pattern: "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$" }],
  },
  SecretStr: { type: "string", format: "password", writeOnly: true },
  Path: { type: "string", format: "path" },
  conint: { type: "integer", exclusiveMinimum: 0, multipleOf: 3 },
  "dict of dates": { type: "object", additionalProperties: { type: "string", format: "date" } },
  "dict of names": { type: "object", propertyNames: { pattern: "^[a-z]{1,3}$" } },
  "names by pattern": { type: "object", patternProperties: { "^x-": { type: "integer" } } },
};

it.each(Object.entries(pydantic))("what pydantic writes for %s is kept to", (_, schema) => {
  const validate = ajv.compile(schema);
  const automaton = automatonOf(schema);
  let drawn = 0;
  for (let round = 0; round < rounds; round += 1) {
    const text = walk(automaton, randomFrom(round + 1));
    if (text === undefined) continue;
    drawn += 1;
    expect(validate(JSON.parse(text)), text).toBe(true);
  }
  expect(drawn).toBeGreaterThan(rounds / 4);
});

const longName = `${"a".repeat(100)}!`;
/** Schemas with a text that fits and one that does not. */
const others: readonly (readonly [schema: object, fits: string, fails: string])[] = [
  [z.toJSONSchema(z.string().startsWith("ab").includes("mid").endsWith("yz")), '"ab-midyz"', '"ab-yz"'],
  [{ type: "string", format: "uri", minLength: 1, maxLength: 2083 }, '"https://a.bc/d"', '"http://a.1"'],
  [{ type: "string", pattern: "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$" }, '"-1.5"', '"-."'],
  [{ type: "string", format: "password" }, '"anything"', "1"],
  [{ type: "string", not: { const: "a" } }, '"b"', '"a"'],
  [{ enum: [1, 5, 9], minimum: 4 }, "5", "1"],
  [{ type: "number", multipleOf: 0.01, minimum: 0, maximum: 9 }, "1.25", "1.255"],
  [
    { type: "array", uniqueItems: true, items: { $ref: "#/$defs/C" }, $defs: { C: { enum: ["r", "g"] } } },
    '["g","r"]',
    '["r","r"]',
  ],
  [
    {
      type: "object",
      properties: { a: { type: "null" }, b: { type: "null" } },
      anyOf: [{ required: ["b"] }],
    },
    '{"b":null}',
    '{"a":null}',
  ],
  [
    {
      allOf: [
        { type: "object", properties: { a: { type: "integer" } }, required: ["a"] },
        { type: "object", properties: { a: { minimum: 3 }, b: { type: "null" } }, required: ["b"] },
      ],
    },
    '{"a":3,"b":null}',
    '{"a":2,"b":null}',
  ],
  [
    {
      type: "object",
      propertyNames: { $ref: "#/$defs/Color" },
      additionalProperties: { type: "integer" },
      $defs: { Color: { enum: ["r", "g"] } },
    },
    '{"g":1}',
    '{"x":1}',
  ],
  [
    { type: "object", required: ["x1"], patternProperties: { "^x": { type: "null" } } },
    '{"x1":null}',
    '{"x1":1}',
  ],
  [
    {
      type: "object",
      allOf: [{ properties: { a: { type: "integer" } }, unevaluatedProperties: false }],
      anyOf: [{ properties: { b: true } }],
    },
    '{"a":1}',
    '{"a":1,"b":1}',
  ],
  // The regular expressions of JavaScript would take longer than the universe is old.
  [
    {
      type: "object",
      properties: { [longName]: { type: "null" } },
      patternProperties: { "^(a+)+$": { type: "integer" } },
    },
    `{"${longName}":null}`,
    `{"${longName}":1}`,
  ],
  [
    { type: "object", patternProperties: { "^x": { type: "null" } }, additionalProperties: false },
    '{"xy":null}',
    '{"y":null}',
  ],
];

it.each(others)("%j is kept to", (schema, fits, fails) => {
  const automaton = automatonOf(schema);
  expect([accepts(automaton, fits), accepts(automaton, fails)]).toEqual([true, false]);
});

describe("several restrictions of a string", () => {
  const schema = { type: "string", format: "date", pattern: "^20", minLength: 10, maxLength: 10 };
  it.each([
    ['"2024-02-28"', true],
    ['"1999-02-28"', false],
    ['"2024-02-30"', false],
    ['"20"', false],
  ])("accept %s: %s", (text, expected) => {
    expect(accepts(automatonOf(schema), text)).toBe(expected);
  });

  it("that contradict each other are refused, as are products that are too large", () => {
    expect(() => automatonOf({ type: "string", pattern: "^a$", minLength: 2 })).toThrow();
    const large = { type: "string", pattern: "(a|b)*a(a|b){16}", minLength: 1, maxLength: 3000 };
    expect(() => automatonOf(large)).toThrow(/too large/);
  });

  it("of many fields share one limit, and equal ones count once", () => {
    const fields = (maxLength: (index: number) => number): object =>
      Object.fromEntries(
        Array.from({ length: 100 }, (_, index) => [
          `f${index}`,
          { type: "string", pattern: "^([a-c]x?)+y(z|[d-f])*$", maxLength: maxLength(index) },
        ]),
      );
    const schema = (maxLength: (index: number) => number): object => ({ properties: fields(maxLength) });
    expect(() => automatonOf(schema((index) => 100 + index))).toThrow(/too large/);
    expect(automatonOf(schema(() => 100)).start.open).toBe(true);
  });

  it("count characters, not bytes", () => {
    const two = automatonOf({ type: "string", pattern: '^[ä-ü"]+$', maxLength: 2 });
    expect([accepts(two, '"äü"'), accepts(two, '"äüä"'), accepts(two, '"\\"\\""')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
