import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { expect, it } from "vitest";
import { automatonOf, randomFrom, walk } from "../support/grammar-walk.js";

const rounds = 20;
const ajv = new Ajv2020({ strict: false, ownProperties: true, logger: false });
formats.default(ajv);

/** Written by `model_json_schema()` of pydantic 2 for models with one field, by the field's type. */
const file = new URL("../support/pydantic-schemas.json", import.meta.url);
const schemas = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, object>>;
const { "set of str": ofStrings, ...kept } = schemas;

it.each(Object.entries(kept))("what pydantic writes for %s is kept to", (_, schema) => {
  const validate = ajv.compile(schema);
  const automaton = automatonOf(schema);
  let drawn = 0;
  for (let round = 0; round < rounds; round += 1) {
    const text = walk(automaton, randomFrom(round + 1));
    if (text === undefined) continue;
    drawn += 1;
    expect(validate(JSON.parse(text)), text).toBe(true);
  }
  expect(drawn).toBeGreaterThan(0);
});

it("a set of any strings is refused", () => {
  expect(() => automatonOf(ofStrings)).toThrow(/#\/properties\/value.*uniqueItems/);
});
