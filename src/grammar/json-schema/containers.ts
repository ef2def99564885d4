import { asRule, choice, type Expression, nothing, repeat, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { counts } from "./counts.js";
import { refuse } from "./refuse.js";
import { keywords } from "./keywords.js";
import { type Fields, isFields, listedValues } from "./schema-fields.js";
import { stringExpression } from "./strings.js";

/** The expression of a schema inside of another, at its path. */
export type SubSchema = (schema: unknown, path: string) => Expression;

/** The texts of objects. Members come in the schema's order. */
export function objectExpression(fields: Fields, path: string, within: SubSchema): Expression {
  const { properties = {}, required = [], additionalProperties = true } = fields;
  if (typeof properties !== "object" || properties === null || Array.isArray(properties))
    refuse(path, '"properties" is no object');
  if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
    refuse(path, '"required" is no array of names');
  const needed = new Set(required as readonly string[]);
  const [min, max] = counts(fields, "Properties", path);
  const keys = keysOf(fields, path);
  const named = [
    ...Object.entries(properties as Fields),
    ...(keys.listed ?? []).flatMap((name) =>
      Object.hasOwn(properties, name) ? [] : [[name, additionalProperties] as const],
    ),
  ];
  if (named.length === 0 && needed.size === 0) {
    // A name that occurs twice counts once, and the grammar cannot prevent it.
    if (min > 1) refuse(path, '"minProperties" above 1 is not supported');
    const others = keys.value ?? (fields.unevaluatedProperties === false ? false : additionalProperties);
    return json.objectOf(within(others, `${path}/additionalProperties`), min, max, keys.expression);
  }
  if (keys.expression !== undefined)
    refuse(path, `"${keys.keyword}" beside "properties" or "required" is not supported`);
  const members = [
    ...named.map(([name, schema]) => ({
      name,
      value: within(schema, `${path}/properties/${name}`),
      needed: needed.has(name),
    })),
    ...[...needed]
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name) => ({
        name,
        value: within(additionalProperties, `${path}/additionalProperties`),
        needed: true,
      })),
  ];
  if (min > needed.size) refuse(path, '"minProperties" above the number of required ones is not supported');
  if (max < members.length) refuse(path, '"maxProperties" below the number of properties is not supported');
  const end = sequence(json.space, text("}"));
  /**
   * Built from the last member to the first: `from` is one of the members from here on, `after` follows the
   * one before.
   */
  let [from, after] = [nothing, end];
  let mayEnd = true;
  for (const { name, value, needed: must } of members.toReversed()) {
    const member = sequence(text(`${JSON.stringify(name)}:`), json.space, value, after);
    from = asRule(must ? member : choice(member, from));
    mayEnd &&= !must;
    const another = sequence(text(","), json.space, from);
    after = asRule(mayEnd ? choice(end, another) : another);
  }
  return sequence(text("{"), json.space, mayEnd ? choice(text("}"), from) : from);
}

/** The restriction of names that "properties" does not list. */
interface Keys {
  readonly keyword: string;
  /** All names that may occur. */
  readonly listed?: readonly string[];
  /** A name as the text of a JSON string. */
  readonly expression?: Expression;
  /** The schema of the values, if not that of `additionalProperties`. */
  readonly value?: unknown;
}

function keysOf(fields: Fields, path: string): Keys {
  const { propertyNames: names, patternProperties: patterns } = fields;
  if (patterns !== undefined) {
    // Only names of the one pattern are written. That is less than the schema accepts.
    const entries = isFields(patterns) ? Object.entries(patterns) : [];
    const [first] = entries;
    if (first === undefined || entries.length > 1 || names !== undefined)
      refuse(path, '"patternProperties" is supported with one pattern, and without "propertyNames"');
    const [pattern, value] = first;
    return { keyword: "patternProperties", expression: stringExpression({ pattern }, path), value };
  }
  const keyword = "propertyNames";
  if (names === undefined || names === true) return { keyword };
  if (!isFields(names)) refuse(path, '"propertyNames" is no schema with strings');
  const listed = listedValues(names)?.map((spelt) => JSON.parse(spelt) as unknown);
  if (listed !== undefined)
    return { keyword, listed: listed.filter((name): name is string => typeof name === "string") };
  const known = new Set(["type", "minLength", "maxLength", "pattern", "format"]);
  const other = Object.keys(names).find((name) => Object.hasOwn(keywords, name) && !known.has(name));
  if (other !== undefined) refuse(path, `"${other}" in "propertyNames" is not supported`);
  const isAny = ["minLength", "maxLength", "pattern", "format"].every((name) => names[name] === undefined);
  return isAny ? { keyword } : { keyword, expression: stringExpression(names, `${path}/propertyNames`) };
}

/** The texts of arrays. */
export function arrayExpression(fields: Fields, path: string, within: SubSchema): Expression {
  if (fields.uniqueItems === true && fields.maxItems !== 1) refuse(path, '"uniqueItems" is not supported');
  const [min, max] = counts(fields, "Items", path);
  const listed = Array.isArray(fields.items) ? fields.items : (fields.prefixItems ?? []);
  if (!Array.isArray(listed)) refuse(path, '"prefixItems" is no array');
  const others =
    (Array.isArray(fields.items) ? fields.additionalItems : fields.items) ?? fields.unevaluatedItems;
  const rest = within(others ?? true, `${path}/items`);
  if (listed.length === 0) return json.arrayOf(rest, min, max);
  const end = sequence(json.space, text("]"));
  const comma = sequence(text(","), json.space);
  const more = repeat(
    asRule(sequence(comma, rest)),
    Math.max(0, min - listed.length),
    Math.max(0, max - listed.length),
  );
  let after: Expression = sequence(more, end);
  let whole: Expression = after;
  for (const [index, schema] of [...(listed as readonly unknown[]).entries()].toReversed()) {
    const item = sequence(within(schema, `${path}/prefixItems/${index}`), after);
    const next = index === 0 ? item : sequence(comma, item);
    const options = [...(index < max ? [next] : []), ...(index >= min ? [end] : [])];
    whole = after = asRule(choice(...options));
  }
  return sequence(text("["), json.space, whole);
}
