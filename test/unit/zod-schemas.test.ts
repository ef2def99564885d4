import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { narrowerPatterns } from "#dist/grammar/json-schema/narrower-patterns.js";
import { accepts, automatonOf, randomFrom, walk } from "../support/grammar-walk.js";

const rounds = 40;

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
  intersection: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  "discriminated union": z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), date: z.iso.date() }),
    z.object({ kind: z.literal("b"), id: z.uuid() }),
  ]),
};

describe("what zod writes for", () => {
  it.each(Object.entries(generators))("%s is kept to", (_, generator) => {
    const object = z.object({ value: generator });
    const automaton = automatonOf(z.toJSONSchema(object));
    let drawn = 0;
    for (let round = 0; round < rounds; round += 1) {
      const text = walk(automaton, randomFrom(round + 1));
      if (text === undefined) continue;
      drawn += 1;
      const { success, error } = object.safeParse(JSON.parse(text));
      expect(success, `${text} ${error?.message ?? ""}`).toBe(true);
    }
    expect(drawn).toBeGreaterThan(rounds / 4);
  });

  it("a signed token is refused", () => {
    expect(() => automatonOf(z.toJSONSchema(z.object({ token: z.jwt() })))).toThrow(/cannot sign a token/);
  });
});

const ajv = new Ajv2020({ strict: false });
formats.default(ajv);

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

it.each([...narrowerPatterns])("strings of the pattern beside %s match it", (pattern, narrower) => {
  const automaton = automatonOf({ type: "string", pattern: narrower });
  const expected = new RegExp(pattern, "u");
  for (let round = 0; round < rounds; round += 1) {
    const text = walk(automaton, randomFrom(round + 1));
    if (text !== undefined) expect(JSON.parse(text)).toMatch(expected);
  }
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
