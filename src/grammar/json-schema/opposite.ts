import { follow, type Resolve } from "./differences.js";
import { dependencyKeywords, keywords, types } from "./keywords.js";
import { cannotKeep } from "./refuse.js";
import { type Fields, isFields, jsonTypes, listedValues, requiredNames } from "./schema-fields.js";

/** More take too long to compile. */
const maxOpposites = 64;
const negatable: ReadonlySet<string> = new Set([
  ...["type", "properties", "required", "enum", "const", "anyOf", "allOf", "not"],
]);

/**
 * Schemas of the values that do not fit a schema. A value fits one of them if and only if it does not fit the
 * given one.
 *
 * @returns undefined if that cannot be said by the keywords of schemas.
 */
export function oppositesOf(schema: unknown, path: string, resolve: Resolve): readonly unknown[] | undefined {
  const opposites = opposite(schema, path, resolve, { mayRefer: true });
  return opposites !== undefined && opposites.length > maxOpposites ? undefined : opposites;
}

/**
 * A schema without `not`: its opposites, as one more member of `allOf`. Undefined if that is not needed, or
 * not possible.
 */
export function expandNot(
  { not, ...rest }: Fields,
  opposites: (of: unknown) => readonly unknown[] | undefined,
): Fields | undefined {
  if (!isFields(not) || listedValues(not) !== undefined) return undefined;
  const found = opposites(not);
  if (found === undefined || found.length === 0) return undefined;
  return { ...rest, allOf: [...[rest.allOf ?? []].flat(), oneOfThese(found)] };
}

/**
 * Whether "unevaluatedProperties" or "unevaluatedItems" occurs in a schema. An opposite names members that
 * the schema does not name, and these keywords would see them.
 */
export function seesMembers(schema: unknown): boolean {
  const open: unknown[] = [schema];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (Array.isArray(at)) open.push(...(at as readonly unknown[]));
    else if (isFields(at))
      for (const [name, value] of Object.entries(at)) {
        if (name === "unevaluatedProperties" || name === "unevaluatedItems") return true;
        open.push(value ?? null);
      }
  }
  return false;
}

/** `mayRefer`: whether references are followed. In members they could lead to endless schemas. */
function opposite(
  schema: unknown,
  path: string,
  resolve: Resolve,
  { mayRefer }: { readonly mayRefer: boolean },
): readonly unknown[] | undefined {
  if (schema === true) return [];
  if (schema === false) return [true];
  if (!isFields(schema)) return undefined;
  const names = Object.keys(schema).filter(
    (name) => Object.hasOwn(keywords, name) && schema[name] !== undefined,
  );
  if (mayRefer && names.length === 1 && names[0] === "$ref")
    return opposite(follow(schema, path, resolve), path, resolve, { mayRefer: false });
  if (!names.every((name) => negatable.has(name))) return undefined;
  const inner = (each: unknown): readonly unknown[] | undefined =>
    opposite(each, path, resolve, { mayRefer: false });
  const found: unknown[] = [];
  for (const name of names) {
    const more = ofKeyword(name, schema, inner);
    if (more === undefined || found.length > maxOpposites) return undefined;
    found.push(...more);
  }
  return found;
}

/** The values that violate one keyword. */
function ofKeyword(
  name: string,
  schema: Fields,
  inner: (schema: unknown) => readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  const value = schema[name];
  switch (name) {
    case "type":
      return otherTypes(value);
    case "required":
      return requiredNames(schema).map((each) => ({ type: "object", properties: { [each]: false } }));
    case "properties":
      return isFields(value) ? ofMembers(value, inner) : undefined;
    case "enum":
    case "const":
      return otherValues(schema);
    case "not":
      // A reference may lead back to this "not".
      return JSON.stringify(value).includes('"$ref"') ? undefined : [value];
    case "allOf":
      return Array.isArray(value) ? flat(value.map((each: unknown) => inner(each))) : undefined;
    case "anyOf": {
      if (!Array.isArray(value)) return undefined;
      const all = value.map((each: unknown) => inner(each));
      return all.every((each) => each !== undefined)
        ? [{ allOf: all.map((anyOf) => oneOfThese(anyOf)) }]
        : undefined;
    }
    default:
      return undefined;
  }
}

/** Values that are not listed. Those of types that the schema does not allow violate "type". */
function otherValues(schema: Fields): readonly unknown[] | undefined {
  const listed = listedValues(schema)?.map((each): unknown => JSON.parse(each)) ?? [];
  const not = { enum: listed };
  if (schema.type !== undefined) return [{ type: schema.type, not }];
  const ofListed = jsonTypes(schema) ?? [];
  // The values of other types have too many spellings.
  if (!ofListed.every((type) => type === "string" || type === "boolean" || type === "null")) return undefined;
  return [{ type: ofListed, not }, ...(otherTypes(ofListed) ?? [])];
}

function ofMembers(
  properties: Fields,
  inner: (schema: unknown) => readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  const all = Object.entries(properties).map(([name, schema]) =>
    inner(schema)?.map((each) => ({ type: "object", properties: { [name]: each }, required: [name] })),
  );
  return flat(all);
}

function flat(lists: readonly (readonly unknown[] | undefined)[]): readonly unknown[] | undefined {
  const known = lists.filter((each) => each !== undefined);
  return known.length === lists.length ? known.flat() : undefined;
}

/** A number that is no integer has no schema of its own. */
function otherTypes(type: unknown): readonly unknown[] | undefined {
  const given: readonly unknown[] = [type].flat();
  if (given.includes("integer") && !given.includes("number")) return undefined;
  const others = types.filter((each) => each !== "integer" && !given.includes(each));
  return others.length === 0 ? [] : [{ type: others }];
}

/** A schema of the values that fit any of these. */
export function oneOfThese(schemas: readonly unknown[]): unknown {
  const [only, ...more] = schemas;
  if (only === undefined) return false;
  return more.length === 0 ? only : { anyOf: schemas };
}

/**
 * A schema with other keywords in place of `dependencies`, `dependentRequired` and `dependentSchemas`.
 *
 * `sees` is the result of `seesMembers`. `blamed` is the keyword that a caller may leave out, and by default
 * it is the one of dependencies.
 *
 * @throws CannotKeepError if the schema sees members: the other keywords are opposites.
 */
export function withoutDependencies(
  fields: Fields,
  { path, sees, blamed }: { readonly path: string; readonly sees: boolean; readonly blamed?: string },
): Fields {
  const name = sees ? dependencyKeywords.find((each) => fields[each] !== undefined) : undefined;
  if (name !== undefined)
    cannotKeep(path, blamed ?? name, `"${name}" in a schema with "unevaluated…" is not supported`);
  return expandDependencies(fields);
}

function expandDependencies(fields: Fields): Fields {
  const { dependencies, dependentRequired, dependentSchemas, ...rest } = fields;
  const given = [dependencies, dependentRequired, dependentSchemas];
  if (
    given.every((each) => each === undefined) ||
    !given.every((each) => each === undefined || isFields(each))
  )
    return fields;
  const sides = given.flatMap((each) => Object.entries(isFields(each) ? each : {}));
  const all = sides.map(([name, needed]) => {
    const present = Array.isArray(needed)
      ? { required: [...new Set([name, ...(needed as readonly unknown[])])] }
      : { allOf: [{ required: [name] }, needed] };
    return { anyOf: [present, { properties: { [name]: false } }] };
  });
  return { ...rest, allOf: [...[rest.allOf ?? []].flat(), ...all] };
}
