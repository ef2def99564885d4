import { follow, type Resolve } from "./differences.js";
import { keywords } from "./keywords.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields, listedValues, requiredNames, valueHasType } from "./schema-fields.js";

const conditionKeywords: ReadonlySet<string> = new Set(["type", "properties", "required"]);
const valueKeywords: ReadonlySet<string> = new Set(["type", "const", "enum"]);

/**
 * A schema with `anyOf` in place of `if`, `then` and `else`. A value fits the condition and `then`, or the
 * opposite of the condition and `else`. The condition compares properties of an object with constants.
 *
 * @throws CannotKeepError for other conditions.
 */
export function expandCondition(fields: Fields, path: string, resolve: Resolve): Fields {
  if (fields.if === undefined) return fields;
  const parts = ["if", "then", "else"];
  const rest: Fields = Object.fromEntries(Object.entries(fields).filter(([name]) => !parts.includes(name)));
  const sides = conditionalSchemas(fields, path, resolve);
  const [only, ...more] = sides;
  const meaning = more.length === 0 ? only : { anyOf: sides };
  return { ...rest, allOf: [...[rest.allOf ?? []].flat(), meaning] };
}

function conditionalSchemas(fields: Fields, path: string, resolve: Resolve): readonly unknown[] {
  const { then = true, else: otherwise = true } = fields;
  if (then === true && otherwise === true) return [true];
  const condition = follow(fields.if, `${path}/if`, resolve);
  if (condition === false) return [otherwise];
  if (condition !== true && !isFields(condition)) refuse(path, '"if" is no schema');
  if (condition === true || !restricts(condition)) return [then];
  const opposites = oppositesOf(condition, fields, path, resolve);
  return [{ allOf: [condition, then] }, ...opposites.map((opposite) => ({ allOf: [opposite, otherwise] }))];
}

/** Schemas. A value fits one of them if it does not fit the condition. */
function oppositesOf(condition: Fields, fields: Fields, path: string, resolve: Resolve): readonly Fields[] {
  const { properties = {} } = condition;
  const others = Object.keys(condition).filter((name) => Object.hasOwn(keywords, name));
  const plain = others.every((name) => conditionKeywords.has(name)) && isFields(properties);
  const isObject = condition.type === undefined || condition.type === "object";
  if (!plain || !isObject) {
    cannotKeep(path, "if", '"if" is supported for "properties" with constants, and "required"');
  }
  const own = isFields(fields.properties) ? fields.properties : {};
  const { unevaluatedProperties = true } = fields;
  // A condition that fails evaluates no members. Its opposite would.
  if (unevaluatedProperties !== true && !Object.keys(properties).every((name) => Object.hasOwn(own, name))) {
    cannotKeep(
      path,
      "if",
      '"if" beside "unevaluatedProperties" is supported for members in "properties" of the same schema',
    );
  }
  const needed = requiredNames(condition);
  const opposites: Fields[] = [];
  for (const [name, reference] of Object.entries(properties)) {
    const values = constantsOf(follow(reference, `${path}/if/properties/${name}`, resolve), path);
    // A member that is absent fits the condition, unless it is required.
    const present = needed.includes(name) ? {} : { required: [name] };
    if (values.length > 0) {
      const isKnown = isFields(fields.properties) && Object.hasOwn(fields.properties, name);
      // Other values of a member that has no schema here are written in the type of the constants.
      const different = { not: { enum: values }, ...(!isKnown && { type: typesOfValues(values) }) };
      opposites.push({ type: "object", properties: { [name]: different }, ...present });
    }
  }
  for (const name of needed) {
    // The member with another value is above.
    if (!Object.hasOwn(properties, name)) opposites.push({ type: "object", properties: { [name]: false } });
  }
  // Other types than objects fit `properties` and `required`, but not `type`.
  if (condition.type === "object") opposites.push({ type: ["array", "string", "number", "boolean", "null"] });
  return opposites;
}

function restricts(schema: Fields): boolean {
  return Object.keys(schema).some((name) => Object.hasOwn(keywords, name));
}

function typesOfValues(values: readonly unknown[]): readonly string[] {
  const ofOne = (value: unknown): string =>
    value === null
      ? "null"
      : Number.isInteger(value)
        ? "integer"
        : Array.isArray(value)
          ? "array"
          : typeof value;
  return [...new Set(values.map(ofOne))];
}

/** The constants that a property is compared with. None if any value fits. */
function constantsOf(schema: unknown, path: string): readonly unknown[] {
  if (schema === true) return [];
  if (
    isFields(schema) &&
    Object.keys(schema).every((name) => !Object.hasOwn(keywords, name) || valueKeywords.has(name))
  ) {
    if (!restricts(schema)) return [];
    const listed = listedValues(schema)?.map((value): unknown => JSON.parse(value));
    const fit = listed?.filter((value) => schema.type === undefined || valueHasType(value, schema.type));
    if (fit !== undefined && fit.length > 0) return fit;
  }
  return cannotKeep(path, "if", '"if" compares a property with something else than constants');
}
