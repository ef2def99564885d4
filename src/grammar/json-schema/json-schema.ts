import { BitNetError } from "../../errors.js";
import {
  anyText,
  choice,
  type Expression,
  nothing,
  openRule,
  type Rule,
  sequence,
  text,
  use,
} from "../expression.js";
import { limitStates } from "../intersection.js";
import * as json from "../json-text.js";
import { arrayExpression, objectExpression, type SubSchema } from "./containers.js";
import { checkDepth } from "./depth.js";
import { requireDifferent } from "./differences.js";
import { isType, keywords, type Type, types, unsupported } from "./keywords.js";
import { integerExpression, numberExpression } from "./numbers.js";
import { refuse } from "./refuse.js";
import { type Fields, hasType, valueHasType } from "./schema-fields.js";
import { stringExpression } from "./strings.js";

const maxSchemas = 10_000;
const maxDepth = 200;

/**
 * The texts of JSON values that a schema accepts. The schema accepts each of these texts. It may accept more:
 * here, members come in the schema's order, an object that names properties has no others, and numbers have
 * no more digits than a double keeps.
 *
 * @param schema JSON Schema, draft 7 or 2020-12, as parsed JSON.
 * @throws BitNetError INVALID_ARGUMENT naming the unsupported or invalid part of the schema.
 */
export function jsonSchemaExpression(schema: unknown): Expression {
  const known = new Map<object, Rule>();
  /** The schemas that a schema only refers to, without text of its own. */
  const same = new Map<Rule, Rule[]>();
  const ofType: Readonly<Record<Type, (fields: Fields, path: string, depth: number) => Expression>> = {
    object: (fields, path, depth) => objectExpression(fields, path, subSchemas(depth)),
    array: (fields, path, depth) => arrayExpression(fields, path, subSchemas(depth)),
    string: stringExpression,
    number: numberExpression,
    integer: integerExpression,
    boolean: () => json.boolean,
    null: () => json.null,
  };
  if (typeof schema === "object" && schema !== null && "safeParse" in schema)
    refuse("#", "it is a zod schema; give z.toJSONSchema(schema)");
  checkDepth(schema);
  const root = limitStates(() => schemaRule(schema, "#", 0));
  refuseCircles(same);
  // Some tokenizers begin every word with a space.
  return sequence(choice(text(""), text(" ")), use(root));

  function schemaRule(value: unknown, path: string, depth: number): Rule {
    if (value === true) return { body: json.value };
    if (value === false) return { body: nothing };
    if (typeof value !== "object" || value === null || Array.isArray(value))
      refuse(path, "there is no schema (expected an object, true or false)");
    const found = known.get(value);
    if (found !== undefined) return found;
    if (known.size >= maxSchemas) refuse(path, `there are more than ${maxSchemas} schemas`);
    if (depth > maxDepth) refuse(path, `schemas are more than ${maxDepth} deep`);
    const rule = openRule();
    known.set(value, rule);
    rule.body = describe(value as Fields, path, depth + 1, rule);
    return rule;
  }

  function subSchemas(depth: number): SubSchema {
    return (value, path) => use(schemaRule(value, path, depth));
  }

  /** A schema that the schema of rule `of` refers to. */
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
      if (name === "oneOf") requireDifferent(options, path, resolve);
      return choice(
        ...options.map((option, index) => alike(option, `${path}/${name}/${index}`, depth, rule)),
      );
    }
    return choice(...typesOf(fields, given, path).map((type) => ofType[type](fields, path, depth)));
  }

  function resolve(reference: unknown, path: string): unknown {
    if (typeof reference !== "string" || !/^#(\/|$)/.test(reference))
      refuse(path, `"$ref" is ${JSON.stringify(reference)} (expected "#/…", a path in this schema)`);
    let found: unknown = schema;
    for (const step of reference.split("/").slice(1)) {
      const key = decode(step).replaceAll("~1", "/").replaceAll("~0", "~");
      const inside = typeof found === "object" && found !== null && Object.hasOwn(found, key);
      if (!inside) refuse(path, `"$ref" names ${reference}, and there is nothing`);
      found = (found as Fields)[key];
    }
    return found;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @throws BitNetError INVALID_ARGUMENT if references lead from a schema back to itself without any text. */
function refuseCircles(same: ReadonlyMap<Rule, readonly Rule[]>): void {
  const done = new Set<Rule>();
  const onWay = new Set<Rule>();
  const visit = (rule: Rule): void => {
    if (done.has(rule)) return;
    if (onWay.has(rule)) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        "Cannot keep to the JSON schema: a schema refers to itself and to nothing else",
        { details: { option: "jsonSchema" } },
      );
    }
    onWay.add(rule);
    for (const other of same.get(rule) ?? []) visit(other);
    onWay.delete(rule);
    done.add(rule);
  };
  for (const rule of same.keys()) visit(rule);
}

/** The schema's "type", or else the types that its keywords apply to. */
function typesOf(fields: Fields, given: readonly string[], path: string): readonly Type[] {
  const { type } = fields;
  if (type !== undefined) {
    const listed: readonly unknown[] = Array.isArray(type) ? type : [type];
    return listed.map((name) => {
      const found = types.find((each) => each === name);
      return found ?? refuse(path, `"type" is ${JSON.stringify(name)} (expected one of ${types.join(", ")})`);
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
