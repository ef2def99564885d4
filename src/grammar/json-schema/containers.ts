import type { Steps } from "../../text/slices.js";
import { asRule, choice, type Expression, nothing, repeat, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { containedCounts, containingArray } from "./contains.js";
import { counts } from "./counts.js";
import { follow } from "./differences.js";
import { keyRules } from "./keys.js";
import { keywords } from "./keywords.js";
import { cannotKeep, refuse } from "./refuse.js";
import type { SchemaReader } from "./schema-reader.js";
import { type Fields, isFields, listedValues, valueHasType } from "./schema-fields.js";

/** The texts of objects. Members come in the schema's order. */
export function* objectExpression(
  fields: Fields,
  path: string,
  { within, budget, resolve }: SchemaReader,
): Steps<Expression> {
  const { properties = {}, required = [] } = fields;
  if (typeof properties !== "object" || properties === null || Array.isArray(properties))
    refuse(path, '"properties" is no object');
  if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
    refuse(path, '"required" is no array of names');
  const needed = new Set(required as readonly string[]);
  const [min, max] = counts(fields, "Properties", path);
  const keys = yield* keyRules(fields, path, budget, resolve);
  const named = keys.members(properties as Fields);
  if (named.length === 0 && needed.size === 0) {
    // A name that occurs twice counts once, and the grammar cannot prevent it.
    if (min > 1) cannotKeep(path, "minProperties", '"minProperties" above 1 is not supported');
    return json.objectOf(yield* keys.others(within), min, max);
  }
  const own = new Set(named.map(([name]) => name));
  const unnamed = [...needed]
    .filter((name) => !own.has(name))
    .map((name) => [name, keys.other(name)] as const);
  const members: { readonly name: string; readonly value: Expression; readonly needed: boolean }[] = [];
  for (const [name, schema] of [...named, ...unnamed]) {
    const place = own.has(name) ? `properties/${name}` : "additionalProperties";
    members.push({ name, value: yield* within(schema, `${path}/${place}`), needed: needed.has(name) });
  }
  if (min > needed.size)
    cannotKeep(path, "minProperties", '"minProperties" above the number of required ones is not supported');
  if (max < members.length)
    cannotKeep(path, "maxProperties", '"maxProperties" below the number of properties is not supported');
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
export function* arrayExpression(
  fields: Fields,
  path: string,
  { within, resolve }: SchemaReader,
): Steps<Expression> {
  const [min, max] = counts(fields, "Items", path);
  const contained = containedCounts(fields, path);
  if (fields.uniqueItems === true && max > 1) {
    if (contained !== undefined)
      cannotKeep(path, "contains", '"contains" beside "uniqueItems" is not supported');
    const items = follow(fields.items, `${path}/items`, resolve);
    return uniqueItems({ ...fields, items }, path, min, max);
  }
  const listed = Array.isArray(fields.items) ? fields.items : (fields.prefixItems ?? []);
  if (!Array.isArray(listed)) refuse(path, '"prefixItems" is no array');
  const { contains, unevaluatedItems } = fields;
  const others = Array.isArray(fields.items) ? fields.additionalItems : fields.items;
  if (contained !== undefined) {
    // Items that fit "contains" are evaluated.
    const unlisted = unevaluatedItems === undefined ? true : { anyOf: [unevaluatedItems, contains] };
    const items = { listed: listed as readonly unknown[], rest: others ?? unlisted, min, max };
    return yield* containingArray(contains, contained, items, path, within);
  }
  const rest = yield* within(others ?? unevaluatedItems ?? true, `${path}/items`);
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
    const item = sequence(yield* within(schema, `${path}/prefixItems/${index}`), after);
    const next = index === 0 ? item : sequence(comma, item);
    const options = [...(index < max ? [next] : []), ...(index >= min ? [end] : [])];
    whole = after = asRule(choice(...options));
  }
  return sequence(text("["), json.space, whole);
}

/** More values need too many rules: one for each set of values that are left. */
const maxUnique = 8;

function uniqueItems({ items, prefixItems }: Fields, path: string, min: number, max: number): Expression {
  const values = isFields(items) ? [...new Set(finiteValues(items))] : [];
  if (prefixItems !== undefined || values.length === 0 || values.length > maxUnique)
    cannotKeep(path, "uniqueItems", `"uniqueItems" is supported for an "enum" of up to ${maxUnique} values`);
  const end = sequence(json.space, text("]"));
  const known = new Map<string, Expression>();
  const after = (left: readonly string[]): Expression => {
    const key = left.join();
    const count = values.length - left.length;
    const comma = count === 0 ? [] : [text(","), json.space];
    const found =
      known.get(key) ??
      asRule(
        choice(
          ...(count >= min ? [end] : []),
          ...(count < max ? left : []).map((value) =>
            sequence(...comma, text(value), after(left.filter((other) => other !== value))),
          ),
        ),
      );
    known.set(key, found);
    return found;
  };
  return sequence(text("["), json.space, after(values));
}

/** The values of a schema with `enum`, `const` or booleans, and with no other restriction. */
function finiteValues(items: Fields): readonly string[] {
  const beyond = Object.keys(items).some(
    (name) => Object.hasOwn(keywords, name) && !["type", "enum", "const"].includes(name),
  );
  if (beyond) return [];
  const values = listedValues(items) ?? (items.type === "boolean" ? ["true", "false"] : []);
  return values.filter((value) => items.type === undefined || valueHasType(JSON.parse(value), items.type));
}
