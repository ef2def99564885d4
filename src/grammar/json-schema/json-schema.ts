import { drain, type Steps } from "../../text/slices.js";
import { choice, type Expression, nothing, openRule, type Rule, sequence, text, use } from "../expression.js";
import * as json from "../json-text.js";
import { expandCondition } from "./conditional.js";
import { constantsExpression, exclusionExpression } from "./constants.js";
import { arrayExpression, objectExpression } from "./containers.js";
import { checkDepth } from "./depth.js";
import { exclusiveOptions } from "./differences.js";
import { createStateBudget, TooManyStatesError } from "./intersection.js";
import { dependencyKeywords, type Type } from "./keywords.js";
import { mergeSchemas } from "./merge.js";
import { integerExpression, numberExpression } from "./numbers.js";
import { expandNot, oppositesOf, seesMembers, withoutDependencies } from "./opposite.js";
import { refuseCircles, resolverOf } from "./references.js";
import { cannotKeep, refuse } from "./refuse.js";
import { refuseUnsupported, restrictionsOf, typesOf } from "./restrictions.js";
import { type Fields, hasType } from "./schema-fields.js";
import type { SchemaReader } from "./schema-reader.js";
import { stringExpression } from "./strings.js";
import { type OnWeakened, readWeakened } from "./weaken.js";

const maxSchemas = 10_000;
const maxDepth = 200;
/** Keywords that a merged schema may still have beside those of its types. */
const choices = ["anyOf", "oneOf", "enum", "const", "not"] as const;

/**
 * The texts of JSON values that a schema accepts. The schema accepts each of these texts. It may accept more:
 * here, members come in the schema's order, an object that names properties has no others, and numbers have
 * no more digits than a double keeps.
 *
 * @param schema JSON Schema, draft 7 or 2020-12, as parsed JSON.
 * @param onWeakened receives unsupported keywords, which are left out. Default: they are refused.
 * @throws BitNetError INVALID_ARGUMENT naming the unsupported or invalid part of the schema.
 */
export function jsonSchemaExpression(schema: unknown, onWeakened?: OnWeakened): Expression {
  return drain(jsonSchemaSteps(schema, onWeakened));
}

/** As `jsonSchemaExpression`, in steps. */
export function* jsonSchemaSteps(schema: unknown, onWeakened?: OnWeakened): Steps<Expression> {
  const known = new Map<object, Rule>();
  /** The schemas that a schema only refers to, without text of its own. */
  const same = new Map<Rule, Rule[]>();
  const budget = createStateBudget();
  const resolve = resolverOf(schema);
  if (typeof schema === "object" && schema !== null && "safeParse" in schema)
    refuse("#", "it is a zod schema; give z.toJSONSchema(schema)");
  checkDepth(schema);
  const sees = seesMembers(schema);
  const root = yield* schemaRule(schema, "#", 0);
  refuseCircles(same);
  // Some tokenizers begin every word with a space.
  return sequence(choice(text(""), text(" ")), use(root));

  function* schemaRule(value: unknown, path: string, depth: number): Steps<Rule> {
    yield;
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
    try {
      rule.body = yield* describe(value as Fields, path, depth + 1, rule);
    } catch (error) {
      if (error instanceof TooManyStatesError) refuse(path, error.message);
      throw error;
    }
    return rule;
  }

  /** The options of a choice. The schema of rule `of` refers to them. */
  function* alike(options: readonly unknown[], path: string, depth: number, of: Rule): Steps<Expression> {
    const rules = same.get(of) ?? [];
    same.set(of, rules);
    const found: Expression[] = [];
    for (const [index, option] of options.entries()) {
      const rule = yield* schemaRule(option, `${path}/${index}`, depth);
      rules.push(rule);
      found.push(use(rule));
    }
    return choice(...found);
  }

  function describe(given: Fields, path: string, depth: number, rule: Rule): Steps<Expression> {
    return readWeakened(given, path, onWeakened, (fields) => describeAll(fields, path, depth, rule));
  }

  function* describeAll(fields: Fields, path: string, depth: number, rule: Rule): Steps<Expression> {
    refuseUnsupported(fields, path);
    const given = restrictionsOf(fields);
    const expanded = withoutDependencies(fields, { path, sees });
    if (expanded !== fields) return yield* describe(expanded, path, depth, rule);
    for (const name of dependencyKeywords)
      if (fields[name] !== undefined) refuse(path, `"${name}" is no object`);
    if (fields.if !== undefined)
      return yield* describe(expandCondition(fields, path, resolve), path, depth, rule);
    const { $ref, ...others } = fields;
    if ($ref !== undefined && given.length === 1) {
      const target = yield* schemaRule(resolve($ref, path), `${path}/$ref`, depth);
      same.set(rule, [...(same.get(rule) ?? []), target]);
      return use(target);
    }
    if ($ref !== undefined) {
      const all = [{ $ref }, ...[fields.allOf ?? []].flat()];
      return yield* describe({ ...others, allOf: all }, path, depth, rule);
    }
    const withoutNot = expandNot(fields, (of) => opposites(of, path));
    if (withoutNot !== undefined) return yield* describe(withoutNot, path, depth, rule);
    if (fields.not !== undefined || fields.const !== undefined || fields.enum !== undefined) {
      const reader = { budget, describe: (rest: Fields) => describe(rest, path, depth, openRule()) };
      return fields.not === undefined
        ? yield* constantsExpression(fields, path, reader)
        : yield* exclusionExpression(fields, path, reader);
    }
    for (const name of ["allOf", "anyOf", "oneOf"] as const) {
      if (fields[name] !== undefined) return yield* combination(name, fields, path, depth, rule);
    }
    return yield* ofTypes(fields, path, depth);
  }

  function opposites(of: unknown, path: string): readonly unknown[] | undefined {
    return sees ? undefined : oppositesOf(of, path, resolve);
  }

  function* combination(
    name: "allOf" | "anyOf" | "oneOf",
    fields: Fields,
    path: string,
    depth: number,
    rule: Rule,
  ): Steps<Expression> {
    const listed: unknown = fields[name];
    if (!Array.isArray(listed) || listed.length === 0) refuse(path, `"${name}" is no array with schemas`);
    const options: readonly unknown[] =
      name === "oneOf"
        ? yield* exclusiveOptions(listed, path, resolve, (each) => opposites(each, path))
        : listed;
    const beside = restrictionsOf(fields).some((other) => other !== name && other !== "type");
    const typed = fields.type !== undefined && !options.every((option) => hasType(option, fields.type));
    if (!beside && !typed && (name !== "allOf" || options.length === 1))
      return yield* alike(options, `${path}/${name}`, depth, rule);
    const rest: Fields = { ...fields, [name]: undefined };
    if (name !== "allOf") {
      // "unevaluatedProperties" sees the properties of the options.
      const { unevaluatedProperties, unevaluatedItems, ...others } = rest;
      const merged = options.map((option) => ({
        unevaluatedProperties,
        unevaluatedItems,
        allOf: [others, option],
      }));
      return yield* alike(merged, `${path}/${name}`, depth, rule);
    }
    const expand = (member: Fields): Fields => withoutDependencies(member, { path, sees, blamed: "allOf" });
    const merged = yield* mergeSchemas([rest, ...options], path, resolve, expand);
    if (merged === false) return nothing;
    if (!choices.some((other) => merged[other] !== undefined)) return yield* ofTypes(merged, path, depth);
    const { allOf: strings, ...others } = merged;
    if (strings !== undefined)
      cannotKeep(path, "allOf", '"allOf" of several patterns beside choices is not supported');
    return yield* describe(others, path, depth, rule);
  }

  function ofTypes(given: Fields, path: string, depth: number): Steps<Expression> {
    // A merged schema has keywords that its parts do not have at this place.
    return readWeakened(given, path, onWeakened, function* (fields) {
      refuseUnsupported(fields, path);
      const options: Expression[] = [];
      for (const type of typesOf(fields, path)) options.push(yield* ofType(type, fields, path, depth));
      return choice(...options);
    });
  }

  function* ofType(type: Type, fields: Fields, path: string, depth: number): Steps<Expression> {
    const reader: SchemaReader = {
      *within(value, place): Steps<Expression> {
        return use(yield* schemaRule(value, place, depth));
      },
      budget,
      resolve,
    };
    return yield* typeExpression(type, fields, path, reader);
  }
}

function typeExpression(type: Type, fields: Fields, path: string, reader: SchemaReader): Steps<Expression> {
  switch (type) {
    case "object":
      return objectExpression(fields, path, reader);
    case "array":
      return arrayExpression(fields, path, reader);
    case "string":
      return stringExpression(fields, path, reader.budget);
    case "number":
      return numberExpression(fields, path, reader.budget);
    case "integer":
      return integerExpression(fields, path, reader.budget);
    case "boolean":
      return done(json.boolean);
    case "null":
      return done(json.null);
  }
}

function* done(expression: Expression): Steps<Expression> {
  return expression;
}
