import { asRule, choice, type Expression, nothing, repeat, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { counts } from "./counts.js";
import { refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

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
  const named = Object.entries(properties as Fields);
  if (named.length === 0 && needed.size === 0) {
    // A name that occurs twice counts once, and the grammar cannot prevent it.
    if (min > 1) refuse(path, '"minProperties" above 1 is not supported');
    const others = fields.unevaluatedProperties === false ? false : additionalProperties;
    return json.objectOf(within(others, `${path}/additionalProperties`), min, max);
  }
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
