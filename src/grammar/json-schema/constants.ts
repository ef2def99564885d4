import type { Steps } from "../../text/slices.js";
import { lastCodePoint } from "../code-points.js";
import { anyText, choice, type Expression, nothing, repeat, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { createTester, intersection, type StateBudget } from "./intersection.js";
import { keywords } from "./keywords.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields, jsonTypes, listedValues, valueHasType } from "./schema-fields.js";

/** Reads the other keywords of a schema with constants. */
interface RestReader {
  readonly budget: StateBudget;
  describe(rest: Fields): Steps<Expression>;
}

/** Less than a millisecond. */
const valuesPerStep = 256;
const listedNames: ReadonlySet<string> = new Set(["const", "enum"]);
/** A string as JSON.stringify spells it. */
const canonicalString = sequence(
  text('"'),
  repeat(json.characterOf([[0, lastCodePoint]]), 0, Infinity),
  text('"'),
);

/** A schema with `const` or `enum`. */
export function* constantsExpression(fields: Fields, path: string, reader: RestReader): Steps<Expression> {
  const { const: only, enum: several = [only], ...rest } = fields;
  if (!Array.isArray(several)) refuse(path, '"enum" is no array');
  const spelt: string[] = [];
  for (const [index, value] of (several as readonly unknown[]).entries()) {
    if (index % valuesPerStep === 0) yield;
    const spelling = JSON.stringify(value) as string | undefined;
    if (spelling === undefined) refuse(path, "a value is no JSON");
    if (only !== undefined && spelling !== JSON.stringify(only)) continue;
    if (fields.type === undefined || valueHasType(value, fields.type)) spelt.push(spelling);
  }
  const beside = Object.keys(rest).some(
    (name) => Object.hasOwn(keywords, name) && name !== "type" && rest[name] !== undefined,
  );
  if (!beside) return yield* anyText(spelt);
  return yield* anyText(yield* fittingOf(spelt, yield* reader.describe(rest)));
}

const notReason =
  '"not" is supported for schemas of "type", "const", "enum", "properties", "required", "allOf" and "anyOf", and this one cannot be inverted';

/** A schema with `not`: of anything, or of constants. */
export function* exclusionExpression(
  { not, ...rest }: Fields,
  path: string,
  reader: RestReader,
): Steps<Expression> {
  const bare = isFields(not) && !Object.keys(not).some((name) => Object.hasOwn(keywords, name));
  if (not === true || bare) return nothing;
  if (not === false) return yield* reader.describe(rest);
  const values = isFields(not) ? listedValues(not) : undefined;
  const plain = isFields(not) && Object.keys(not).every((name) => name === "type" || listedNames.has(name));
  if (values === undefined || !plain) {
    cannotKeep(path, "not", notReason);
  }
  const inside = yield* reader.describe(rest);
  const listed = listedValues(rest);
  if (listed !== undefined) {
    const others = listed.filter((value) => !values.includes(value));
    return yield* anyText(yield* fittingOf(others, inside));
  }
  const types = jsonTypes(rest) ?? [];
  const regular =
    types.length > 0 &&
    types.every((type) => type === "string" || type === "boolean" || type === "null") &&
    rest.anyOf === undefined;
  if (!regular && rest.type !== "integer")
    cannotKeep(path, "not", '"not" is supported for strings, integers, booleans and null');
  // Each value has one spelling only: that of JSON.stringify.
  const canonical = choice(json.integer, json.boolean, json.null, canonicalString);
  const conditions = [
    { expression: inside },
    { expression: canonical },
    { expression: yield* anyText(values), negated: true },
  ];
  return yield* intersection(conditions, reader.budget);
}

/** The texts that fit an expression. */
function* fittingOf(texts: readonly string[], expression: Expression): Steps<readonly string[]> {
  const fits = yield* createTester([{ expression }]);
  const fitting: string[] = [];
  for (const each of texts) {
    if (fits(each)) fitting.push(each);
    yield;
  }
  return fitting;
}
