import { BitNetError } from "../errors.js";
import {
  anyText,
  asRule,
  choice,
  type Expression,
  nothing,
  openRule,
  repeat,
  type Rule,
  sequence,
  text,
  use,
} from "./expression.js";
import {
  type Fields,
  hasType,
  isFields,
  jsonTypes,
  listedValues,
  requiredNames,
  valueHasType,
} from "./schema-fields.js";
import * as json from "./json-text.js";
import { integersBetween, scaledBetween } from "./number-range.js";
import { patternCharacters } from "./pattern.js";
import { stringFormats } from "./string-formats.js";

const types = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
type Type = (typeof types)[number];

/** Keywords that say what values may be, by the type that they are about; every other is a note to people. */
const keywords: Readonly<Record<string, Type | "any">> = {
  ...about("object", [
    "properties",
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
  ]),
  ...about("object", [
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
  ]),
  ...about("array", [
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "minItems",
    "maxItems",
    "uniqueItems",
  ]),
  ...about("array", ["contains", "minContains", "maxContains"]),
  ...about("string", ["minLength", "maxLength", "pattern", "format"]),
  ...about("number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
  ...about("any", ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"]),
  ...about("any", ["not", "if", "then", "else", "$dynamicRef", "$recursiveRef"]),
};
const unsupported: readonly string[] = [
  "not",
  "if",
  "then",
  "else",
  "$dynamicRef",
  "$recursiveRef",
  "patternProperties",
  "propertyNames",
  "dependencies",
  "dependentRequired",
  "dependentSchemas",
  "contains",
  "minContains",
  "maxContains",
];

const mostSchemas = 10_000;
const deepest = 200;
/** Upper limits above it are kept by staying below it. */
const mostCounted = 4096;

/**
 * The texts of JSON values that a schema accepts. Not all of them: members come in the schema's order, an object that names
 * properties has no others, and numbers have as many digits as a double keeps. But each of them is accepted.
 *
 * @param schema JSON Schema, draft 7 or 2020-12, as parsed JSON.
 * @throws BitNetError INVALID_ARGUMENT saying what in the schema cannot be kept to.
 */
export function jsonSchemaExpression(schema: unknown): Expression {
  const known = new Map<object, Rule>();
  /** Schemas whose values are values of another, with nothing written in between. */
  const same = new Map<Rule, Rule[]>();
  const ofType: Readonly<Record<Type, (fields: Fields, path: string, depth: number) => Expression>> = {
    object,
    array,
    string,
    number,
    integer,
    boolean: () => json.boolean,
    null: () => json.null,
  };
  const root = schemaRule(schema, "#", 0);
  refuseCircles(same);
  // Some tokenizers begin every word by a space.
  return sequence(choice(text(""), text(" ")), use(root));

  function refuse(path: string, problem: string): never {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot keep to the JSON schema: at ${path}, ${problem}`, {
      details: { option: "jsonSchema", path },
    });
  }

  function schemaRule(value: unknown, path: string, depth: number): Rule {
    if (value === true) return { body: json.value };
    if (value === false) return { body: nothing };
    if (typeof value !== "object" || value === null || Array.isArray(value))
      refuse(path, "there is no schema (expected an object, true or false)");
    const found = known.get(value);
    if (found !== undefined) return found;
    if (known.size >= mostSchemas) refuse(path, `there are more than ${mostSchemas} schemas`);
    if (depth > deepest) refuse(path, `schemas are more than ${deepest} deep`);
    const rule = openRule();
    known.set(value, rule);
    rule.body = describe(value as Fields, path, depth + 1, rule);
    return rule;
  }

  function within(value: unknown, path: string, depth: number): Expression {
    return use(schemaRule(value, path, depth));
  }

  /** A schema whose values are all values of `of`. */
  function alike(value: unknown, path: string, depth: number, of: Rule): Expression {
    const rule = schemaRule(value, path, depth);
    same.set(of, [...(same.get(of) ?? []), rule]);
    return use(rule);
  }

  function describe(fields: Fields, path: string, depth: number, rule: Rule): Expression {
    for (const name of unsupported) {
      if (fields[name] !== undefined) refuse(path, `"${name}" is not supported`);
    }
    const given = Object.keys(fields).filter(
      (name) => Object.hasOwn(keywords, name) && fields[name] !== undefined,
    );
    const alone = (name: string, ...others: readonly string[]): void => {
      const besides = given.find((other) => other !== name && !others.includes(other));
      if (besides !== undefined) refuse(path, `"${besides}" beside "${name}" is not supported`);
    };
    if (fields.$ref !== undefined) {
      alone("$ref");
      return alike(resolve(fields.$ref, path), `${path}/$ref`, depth, rule);
    }
    if (fields.const !== undefined) {
      alone("const", "type");
      return literals([fields.const], fields, path);
    }
    if (fields.enum !== undefined) {
      alone("enum", "type");
      if (!Array.isArray(fields.enum)) refuse(path, '"enum" is no array');
      return literals(fields.enum as readonly unknown[], fields, path);
    }
    for (const name of ["allOf", "anyOf", "oneOf"] as const) {
      const options = fields[name];
      if (options === undefined) continue;
      alone(name, "type");
      if (!Array.isArray(options) || options.length === 0) refuse(path, `"${name}" is no array with schemas`);
      if (fields.type !== undefined && !options.every((option) => hasType(option, fields.type)))
        refuse(path, `"type" beside "${name}" is supported where every one of them has it`);
      if (name === "allOf" && options.length > 1) refuse(path, '"allOf" of several schemas is not supported');
      if (name === "oneOf") requireDifferent(options, path);
      return choice(
        ...options.map((option, index) => alike(option, `${path}/${name}/${index}`, depth, rule)),
      );
    }
    return choice(...typesOf(fields, given, path).map((type) => ofType[type](fields, path, depth)));
  }

  function resolve(reference: unknown, path: string): unknown {
    if (typeof reference !== "string" || !/^#(\/|$)/.test(reference))
      refuse(path, `"$ref" is ${JSON.stringify(reference)} (expected "#/…", a place in this schema)`);
    let found: unknown = schema;
    for (const step of reference.split("/").slice(1)) {
      const key = decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
      const inside = typeof found === "object" && found !== null && Object.hasOwn(found, key);
      if (!inside) refuse(path, `"$ref" names ${reference}, and there is nothing`);
      found = (found as Fields)[key];
    }
    return found;
  }

  /** By the schema's word, or by what its keywords are about. */
  function typesOf(fields: Fields, given: readonly string[], path: string): readonly Type[] {
    const { type } = fields;
    if (type !== undefined) {
      const listed: readonly unknown[] = Array.isArray(type) ? type : [type];
      return listed.map((name) => {
        const found = types.find((each) => each === name);
        return (
          found ?? refuse(path, `"type" is ${JSON.stringify(name)} (expected one of ${types.join(", ")})`)
        );
      });
    }
    const meant = new Set(given.map((name) => keywords[name]).filter((each) => each !== "any"));
    return meant.size === 0
      ? ["object", "array", "string", "number", "boolean", "null"]
      : [...meant].filter(isType);
  }

  function literals(values: readonly unknown[], fields: Fields, path: string): Expression {
    const fitting = values.filter((value) => fields.type === undefined || valueHasType(value, fields.type));
    const spelt = fitting.map((value) => JSON.stringify(value));
    if (spelt.some((each) => typeof each !== "string")) refuse(path, "a value is no JSON");
    return anyText(spelt);
  }

  function count(fields: Fields, name: string, otherwise: number, path: string): number {
    const value = fields[name] ?? otherwise;
    const whole =
      typeof value === "number" && value >= 0 && (value === Infinity || Number.isSafeInteger(value));
    return whole
      ? value
      : refuse(path, `"${name}" is ${JSON.stringify(value)} (expected a whole number from 0)`);
  }

  function counts(fields: Fields, what: string, path: string): readonly [number, number] {
    const least = count(fields, `min${what}`, 0, path);
    const most = count(fields, `max${what}`, Infinity, path);
    if (least > mostCounted) refuse(path, `"min${what}" is above ${mostCounted}`);
    return [least, most === Infinity ? most : Math.min(most, mostCounted)];
  }

  function object(fields: Fields, path: string, depth: number): Expression {
    const { properties = {}, required = [], additionalProperties = true } = fields;
    if (typeof properties !== "object" || properties === null || Array.isArray(properties))
      refuse(path, '"properties" is no object');
    if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
      refuse(path, '"required" is no array of names');
    const needed = new Set(required as readonly string[]);
    const [least, most] = counts(fields, "Properties", path);
    const named = Object.entries(properties as Fields);
    if (named.length === 0 && needed.size === 0) {
      // Members of the same name count once, and nothing keeps them apart.
      if (least > 1) refuse(path, '"minProperties" above 1 is not supported');
      const others = fields.unevaluatedProperties === false ? false : additionalProperties;
      return json.objectOf(within(others, `${path}/additionalProperties`, depth), least, most);
    }
    const members = [
      ...named.map(([name, schema]) => ({
        name,
        value: within(schema, `${path}/properties/${name}`, depth),
        needed: needed.has(name),
      })),
      ...[...needed]
        .filter((name) => !Object.hasOwn(properties, name))
        .map((name) => ({
          name,
          value: within(additionalProperties, `${path}/additionalProperties`, depth),
          needed: true,
        })),
    ];
    if (least > needed.size)
      refuse(path, '"minProperties" above the number of required ones is not supported');
    if (most < members.length)
      refuse(path, '"maxProperties" below the number of properties is not supported');
    const end = sequence(json.space, text("}"));
    /** One of the members from a place in the list, and what follows it; and what may follow the ones before. */
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

  function array(fields: Fields, path: string, depth: number): Expression {
    if (fields.uniqueItems === true && fields.maxItems !== 1) refuse(path, '"uniqueItems" is not supported');
    const [least, most] = counts(fields, "Items", path);
    const listed = Array.isArray(fields.items) ? fields.items : (fields.prefixItems ?? []);
    if (!Array.isArray(listed)) refuse(path, '"prefixItems" is no array');
    const others =
      (Array.isArray(fields.items) ? fields.additionalItems : fields.items) ?? fields.unevaluatedItems;
    const rest = within(others ?? true, `${path}/items`, depth);
    if (listed.length === 0) return json.arrayOf(rest, least, most);
    const end = sequence(json.space, text("]"));
    const comma = sequence(text(","), json.space);
    const more = repeat(
      asRule(sequence(comma, rest)),
      Math.max(0, least - listed.length),
      Math.max(0, most - listed.length),
    );
    let after: Expression = sequence(more, end);
    let whole: Expression = after;
    for (const [index, schema] of [...(listed as readonly unknown[]).entries()].toReversed()) {
      const item = sequence(within(schema, `${path}/prefixItems/${index}`, depth), after);
      const next = index === 0 ? item : sequence(comma, item);
      const options = [...(index < most ? [next] : []), ...(index >= least ? [end] : [])];
      whole = after = asRule(choice(...options));
    }
    return sequence(text("["), json.space, whole);
  }

  function string(fields: Fields, path: string): Expression {
    const { pattern, format } = fields;
    const counted = fields.minLength !== undefined || fields.maxLength !== undefined;
    if (pattern === undefined && format === undefined)
      return json.stringOf(...counts(fields, "Length", path));
    if (pattern !== undefined && format !== undefined)
      refuse(path, '"format" beside "pattern" is not supported');
    const name = pattern === undefined ? "format" : "pattern";
    if (counted) refuse(path, `a length beside "${name}" is not supported`);
    const expression =
      pattern ?? (Object.hasOwn(stringFormats, String(format)) ? stringFormats[String(format)] : undefined);
    if (expression === undefined)
      refuse(
        path,
        `"format" is ${JSON.stringify(format)} (supported: ${Object.keys(stringFormats).join(", ")})`,
      );
    if (typeof expression !== "string") refuse(path, '"pattern" is no string');
    try {
      return sequence(text('"'), patternCharacters(expression), text('"'));
    } catch (error) {
      refuse(path, `"pattern" is not supported: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  function bounds(fields: Fields, path: string): Bounds | undefined {
    const bound = (name: string): number | undefined => {
      const value = fields[name];
      if (value === undefined || typeof value === "number") return value;
      refuse(path, `"${name}" is ${JSON.stringify(value)} (expected a number)`);
    };
    if (fields.multipleOf !== undefined && fields.multipleOf !== 1)
      refuse(path, '"multipleOf" is not supported');
    const [above, below] = [bound("exclusiveMinimum"), bound("exclusiveMaximum")];
    const [least, most] = [bound("minimum"), bound("maximum")];
    if (above === undefined && below === undefined && least === undefined && most === undefined)
      return undefined;
    return {
      least: least ?? -Infinity,
      most: most ?? Infinity,
      above: above ?? -Infinity,
      below: below ?? Infinity,
    };
  }

  function integer(fields: Fields, path: string): Expression {
    const found = bounds(fields, path);
    if (found === undefined) return json.integer;
    const { least, most, above, below } = found;
    return integersBetween(Math.max(least, Math.floor(above) + 1), Math.min(most, Math.ceil(below) - 1));
  }

  function number(fields: Fields, path: string): Expression {
    const found = bounds(fields, path);
    if (found === undefined && fields.multipleOf === undefined) return json.number;
    const wholes = integer(fields, path);
    if (found === undefined || fields.multipleOf !== undefined) return wholes;
    const decimals = Math.min(mostDecimals, Math.max(2, ...Object.values(found).map(decimalsOf)));
    /** A bound in units of the last decimal; where that is not exact, a little more than it or less. */
    const scaled = (bound: number, inward: 1 | -1): number => {
      const limited = Math.min(Math.max(bound, -largestBound), largestBound);
      if (Number.isFinite(bound) && limited !== bound) refuse(path, `a bound is beyond ${largestBound}`);
      // Not by a product where it is exact: that would round.
      if (decimalsOf(limited) <= decimals) return Number(`${limited}e${decimals}`);
      return Math.round(limited * 10 ** decimals) + 2 * inward;
    };
    const { least, most, above, below } = found;
    const low = Math.max(scaled(least, 1), above === -Infinity ? -Infinity : scaled(above, 1) + 1);
    const high = Math.min(scaled(most, -1), below === Infinity ? Infinity : scaled(below, -1) - 1);
    return choice(wholes, scaledBetween(low, high, decimals));
  }

  /** One of several and no other: there must be something in which any two differ. */
  function requireDifferent(options: readonly unknown[], path: string): void {
    const followed = options.map((option) => follow(option, path));
    for (const [index, option] of followed.entries()) {
      const other = followed.slice(0, index).findIndex((each) => !differ(each, option, path));
      if (other === -1) continue;
      refuse(path, `"oneOf" has schemas that may accept the same value (${other} and ${index}): use "anyOf"`);
    }
  }

  /** What a schema refers to. */
  function follow(schemaOrReference: unknown, path: string): unknown {
    let found = schemaOrReference;
    for (let steps = 0; steps < deepest; steps += 1) {
      if (!isFields(found) || found.$ref === undefined) return found;
      found = resolve(found.$ref, path);
    }
    return refuse(path, '"$ref" goes in a circle');
  }

  /** Whether it is plain that two schemas accept no value in common. */
  function differ(a: unknown, b: unknown, path: string): boolean {
    if (!isFields(a) || !isFields(b)) return false;
    const [someOfA, someOfB] = [listedValues(a), listedValues(b)];
    if (someOfA !== undefined && someOfB !== undefined)
      return !someOfA.some((value) => someOfB.includes(value));
    const [typesOfA, typesOfB] = [jsonTypes(a), jsonTypes(b)];
    if (typesOfA !== undefined && typesOfB !== undefined && !typesOfA.some((type) => typesOfB.includes(type)))
      return true;
    return requiredNames(a).some((name) => {
      if (!requiredNames(b).includes(name) || a.type !== "object" || b.type !== "object") return false;
      const inside = (fields: Fields): unknown =>
        follow((fields.properties as Fields | undefined)?.[name], path);
      return differ(inside(a), inside(b), path);
    });
  }
}

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly above: number;
  readonly below: number;
}

const mostDecimals = 6;
/** Beyond it, decimals would get lost. */
const largestBound = 1e9;

function decimalsOf(bound: number): number {
  if (!Number.isFinite(bound)) return 0;
  const spelt = String(bound);
  if (spelt.includes("e")) return Infinity;
  return spelt.split(".")[1]?.length ?? 0;
}

function about<T>(type: T, names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name) => [name, type]));
}

function isType(value: unknown): value is Type {
  return types.some((type) => type === value);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws BitNetError INVALID_ARGUMENT if a schema is, by way of others, nothing but itself. */
function refuseCircles(same: ReadonlyMap<Rule, readonly Rule[]>): void {
  const done = new Set<Rule>();
  const onWay = new Set<Rule>();
  const visit = (rule: Rule): void => {
    if (done.has(rule)) return;
    if (onWay.has(rule)) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        "Cannot keep to the JSON schema: a schema refers to itself and to nothing else",
        {
          details: { option: "jsonSchema" },
        },
      );
    }
    onWay.add(rule);
    for (const other of same.get(rule) ?? []) visit(other);
    onWay.delete(rule);
    done.add(rule);
  };
  for (const rule of same.keys()) visit(rule);
}
