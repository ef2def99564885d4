import type { Steps } from "../../text/slices.js";
import { expandCondition } from "./conditional.js";
import { follow, type Resolve } from "./differences.js";
import { keywords } from "./keywords.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields, listedValues, requiredNames } from "./schema-fields.js";

type Merge = (a: unknown, b: unknown) => unknown;

const larger: Merge = (a, b) => (Number(a) > Number(b) ? a : b);
const smaller: Merge = (a, b) => (Number(a) < Number(b) ? a : b);
const both: Merge = (a, b) => ({ allOf: [a, b] });

/** Whether a schema lists values and says nothing else. */
function isListOnly(schema: Fields): boolean {
  return Object.keys(schema).every((name) => name === "enum" || name === "const");
}

/** More alternatives take too long to compile. */
const maxAlternatives = 64;

/** How two values of one keyword become one. */
const merges: Readonly<Record<string, Merge>> = {
  ...Object.fromEntries(
    ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"].map((name) => [
      name,
      larger,
    ]),
  ),
  ...Object.fromEntries(
    ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"].map((name) => [
      name,
      smaller,
    ]),
  ),
  uniqueItems: (a, b) => a === true || b === true,
  items: both,
  type: sameTypes,
  required: (a, b) => [...new Set([a, b].flat())],
  enum: (a, b) => {
    const spelt = new Set([a].flat().map((value) => JSON.stringify(value)));
    return [b].flat().filter((value) => spelt.has(JSON.stringify(value)));
  },
  anyOf: eachWithEach,
  not: (a, b) => {
    const values = [a, b].map((each) =>
      isFields(each) && isListOnly(each) ? listedValues(each) : undefined,
    );
    const [ofA, ofB] = values;
    if (ofA === undefined || ofB === undefined) return { anyOf: [a, b] };
    return { enum: [...ofA, ...ofB].map((value): unknown => JSON.parse(value)) };
  },
};

/**
 * Merges schemas. A value fits the merged schema if it fits each of them. A second pattern or format stays in
 * `allOf`. The others are members of the first one's `allOf`: `unevaluatedProperties` of the first sees them.
 *
 * @param expandDependencies replaces the keywords of dependencies by others.
 * @returns false if nothing fits.
 */
export function* mergeSchemas(
  schemas: readonly unknown[],
  path: string,
  resolve: Resolve,
  expandDependencies: (schema: Fields) => Fields,
): Steps<Fields | false> {
  let merged: Fields = {};
  for (const [index, reference] of schemas.entries()) {
    yield;
    const schema = follow(reference, path, resolve);
    if (schema === true) continue;
    if (schema === false) return false;
    if (!isFields(schema)) refuse(path, '"allOf" has something that is no schema');
    const { allOf, ...rest } = expandCondition(
      expandDependencies(index === 0 ? schema : inOwnScope(schema, path)),
      path,
      resolve,
    );
    const next = mergeTwo(merged, withContainedCount(rest), path);
    if (next === false) return false;
    merged = next;
    if (allOf === undefined) continue;
    if (!Array.isArray(allOf)) refuse(path, '"allOf" is no array with schemas');
    const { allOf: strings = [], ...others } = merged;
    const members = [others, ...(allOf as readonly unknown[])];
    const inner: Fields | false = yield* mergeSchemas(members, path, resolve, expandDependencies);
    if (inner === false) return false;
    merged = { ...inner, allOf: [strings, inner.allOf ?? []].flat() };
  }
  if (Array.isArray(merged.type) && merged.type.length === 0) return false;
  const { allOf = [], ...rest } = merged;
  return Array.isArray(allOf) && allOf.length === 0 ? rest : merged;
}

/** @returns undefined if there are too many. */
function eachWithEach(a: unknown, b: unknown): unknown {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length * b.length > maxAlternatives) return undefined;
  return a.flatMap((one: unknown) => b.map((other: unknown) => both(one, other)));
}

/** A member of `allOf` with `unevaluatedProperties` does not see the properties of other members. */
function inOwnScope(schema: Fields, path: string): Fields {
  const { unevaluatedProperties, unevaluatedItems, ...rest } = schema;
  if (unevaluatedProperties === undefined && unevaluatedItems === undefined) return schema;
  for (const name of ["allOf", "anyOf", "oneOf", "$ref"])
    if (rest[name] !== undefined)
      cannotKeep(path, "allOf", `"unevaluated…" beside "${name}" within "allOf" is not supported`);
  const listed = Array.isArray(rest.items) ? "additionalItems" : "items";
  return {
    ...rest,
    additionalProperties: rest.additionalProperties ?? unevaluatedProperties,
    [listed]: rest[listed] ?? unevaluatedItems,
  };
}

/** The limits of "contains" count only beside it, and the lower one has a default. */
function withContainedCount(schema: Fields): Fields {
  const { minContains = 1, maxContains, ...rest } = schema;
  if (rest.contains === undefined) return rest;
  return { ...rest, minContains, ...(maxContains !== undefined && { maxContains }) };
}

function mergeTwo(a: Fields, b: Fields, path: string): Fields | false {
  const merged: Record<string, unknown> = { ...a };
  const strings: unknown[] = [a.allOf ?? []].flat();
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    // "items" means the items after the prefix of its own schema.
    if (one.prefixItems !== undefined && other.prefixItems === undefined && other.items !== undefined)
      cannotKeep(
        path,
        "allOf",
        '"items" and "prefixItems" of different schemas in "allOf" are not supported',
      );
  }
  if (a.properties !== undefined || b.properties !== undefined) merged.properties = properties(a, b, path);
  for (const [name, value] of Object.entries(b)) {
    if (!Object.hasOwn(keywords, name) || value === undefined || name === "properties") continue;
    const other = a[name];
    if (other === undefined || JSON.stringify(other) === JSON.stringify(value)) merged[name] = value;
    else if (name === "pattern" || name === "format") strings.push({ [name]: value });
    else if (name === "additionalProperties") merged[name] = both(other, value);
    else {
      if (name === "const") return false;
      const joined = merges[name]?.(other, value);
      if (joined === undefined) cannotKeep(path, "allOf", `different "${name}" in "allOf" are not supported`);
      merged[name] = joined;
    }
  }
  return strings.length === 0 ? merged : { ...merged, allOf: strings };
}

/** A property of one schema only is an additional one of the other. */
function properties(a: Fields, b: Fields, path: string): Fields {
  const [ofA, ofB] = [a.properties ?? {}, b.properties ?? {}];
  if (!isFields(ofA) || !isFields(ofB)) refuse(path, '"properties" is no object');
  const names = new Set([...Object.keys(ofA), ...Object.keys(ofB), ...requiredNames(a), ...requiredNames(b)]);
  const schemaIn = (fields: Fields, own: Fields, name: string): unknown => {
    if (Object.hasOwn(own, name)) return own[name];
    if (fields.patternProperties !== undefined)
      cannotKeep(path, "allOf", '"patternProperties" in "allOf" with "properties" is not supported');
    return fields.additionalProperties ?? true;
  };
  return Object.fromEntries(
    [...names].map((name) => {
      const [one, other] = [schemaIn(a, ofA, name), schemaIn(b, ofB, name)];
      if (one === true) return [name, other];
      return [name, other === true ? one : both(one, other)];
    }),
  );
}

function sameTypes(a: unknown, b: unknown): unknown {
  const [ofA, ofB] = [[a].flat(), [b].flat()];
  const common = ofA.filter((type) => ofB.includes(type) || (type === "integer" && ofB.includes("number")));
  const narrowed = ofB.filter((type) => type === "integer" && ofA.includes("number"));
  return [...new Set([...common, ...narrowed])];
}
