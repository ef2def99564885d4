import type { Steps } from "../../text/slices.js";
import { choice, type Expression, nothing, sequence, text } from "../expression.js";
import * as json from "../json-text.js";
import { follow, type Resolve } from "./differences.js";
import { type Condition, createTester, intersection, type StateBudget } from "./intersection.js";
import { isPattern, patternConditions } from "./pattern.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields, listedValues } from "./schema-fields.js";
import type { SubSchema } from "./schema-reader.js";
import { stringExpression } from "./strings.js";

/** Restrictions of the names of an object's members, and of values by their names. */
export interface KeyRules {
  /** The members with their own names, in order. */
  members(properties: Fields): readonly (readonly [name: string, schema: unknown])[];
  /** The schema of a member that `properties` does not name. */
  other(name: string): unknown;
  /** Members with any names. */
  others(within: SubSchema): Steps<Expression>;
}

/** A pattern of `patternProperties`. */
interface NamePattern {
  readonly pattern: string;
  readonly schema: unknown;
  readonly conditions: readonly Condition[];
  matches(name: string): boolean;
}

const stringKeywords = new Set(["pattern", "format", "minLength", "maxLength"]);
const nameKeywords = new Set([...stringKeywords, "type", "enum", "const"]);
const annotations = new Set(["title", "description", "default", "examples", "deprecated"]);

/** Reads `propertyNames`, `patternProperties` and `additionalProperties`. */
export function* keyRules(
  fields: Fields,
  path: string,
  budget: StateBudget,
  resolve: Resolve,
): Steps<KeyRules> {
  const names = nameFields(fields, path, resolve);
  const unnamed = fields.additionalProperties ?? fields.unevaluatedProperties ?? true;
  const patterns = yield* namePatterns(fields, path, budget);
  const restricted = [...stringKeywords].some((name) => names[name] !== undefined);
  const oneName = yield* stringExpression(names, `${path}/propertyNames`, budget);
  const fitsNames = restricted ? yield* createTester([{ expression: oneName }]) : (): boolean => true;
  const allowed = listedValues(names);
  const listed = allowed === undefined ? undefined : strings(allowed).filter(mayBeName);

  function mayBeName(name: string): boolean {
    return allowed?.includes(JSON.stringify(name)) !== false && fitsNames(JSON.stringify(name));
  }

  function matching(name: string): readonly unknown[] {
    return patterns.filter(({ matches }) => matches(name)).map(({ schema }) => schema);
  }

  function other(name: string): unknown {
    if (!mayBeName(name)) return false;
    const found = matching(name);
    return found.length === 0 ? unnamed : { allOf: found };
  }

  function* key(wanted: readonly Condition[]): Steps<Expression> {
    if (wanted.length === 0) return oneName;
    const quoted = sequence(text('"'), yield* intersection(wanted, budget), text('"'));
    return restricted
      ? yield* intersection([{ expression: quoted }, { expression: oneName }], budget)
      : quoted;
  }

  /** The names that a pattern does not match. */
  function* except({ conditions }: NamePattern): Steps<Condition> {
    return { expression: yield* intersection(conditions, budget), negated: true };
  }

  return {
    other,
    members(properties): readonly (readonly [string, unknown])[] {
      const own = Object.entries(properties)
        .filter(([name]) => mayBeName(name))
        .map(([name, schema]) => {
          const more = matching(name);
          return [name, more.length === 0 ? schema : { allOf: [schema, ...more] }] as const;
        });
      const more = (listed ?? []).filter((name) => !Object.hasOwn(properties, name));
      return [...own, ...more.map((name) => [name, other(name)] as const)];
    },
    *others(within): Steps<Expression> {
      if (listed !== undefined) return nothing;
      if (patterns.length === 0)
        return json.member(yield* key([]), yield* within(unnamed, `${path}/additionalProperties`));
      const members: Expression[] = [];
      for (const each of patterns) {
        const wanted = [...each.conditions];
        for (const rest of patterns) if (rest !== each) wanted.push(yield* except(rest));
        const value = yield* within(each.schema, `${path}/patternProperties/${each.pattern}`);
        members.push(json.member(yield* key(wanted), value));
      }
      if (unnamed !== false) {
        const wanted = [...(yield* patternConditions("", budget))];
        for (const rest of patterns) wanted.push(yield* except(rest));
        const value = yield* within(unnamed, `${path}/additionalProperties`);
        members.push(json.member(yield* key(wanted), value));
      }
      return choice(...members);
    },
  };
}

/** The schema of names, without references. */
function nameFields({ propertyNames = true }: Fields, path: string, resolve: Resolve): Fields {
  const place = `${path}/propertyNames`;
  const names = follow(propertyNames, place, resolve);
  if (names === true) return {};
  if (names === false) return { enum: [] };
  if (!isFields(names) || (names.type !== undefined && names.type !== "string"))
    refuse(place, "it is no schema of strings");
  const beyond = Object.keys(names).find(
    (name) => !nameKeywords.has(name) && !annotations.has(name) && !/^\$(?!ref|dynamicRef)/.test(name),
  );
  if (beyond !== undefined)
    cannotKeep(path, "propertyNames", `"${beyond}" is not supported in "propertyNames"`);
  return names;
}

function strings(values: readonly string[]): readonly string[] {
  return values.map((value): unknown => JSON.parse(value)).filter((value) => typeof value === "string");
}

function* namePatterns(
  { patternProperties = {} }: Fields,
  path: string,
  budget: StateBudget,
): Steps<readonly NamePattern[]> {
  if (!isFields(patternProperties)) refuse(path, '"patternProperties" is no object');
  const found: NamePattern[] = [];
  for (const [pattern, schema] of Object.entries(patternProperties)) {
    try {
      const conditions = yield* patternConditions(pattern, budget);
      const fits = yield* createTester(conditions);
      const matches = (name: string): boolean => fits(JSON.stringify(name).slice(1, -1));
      found.push({ pattern, schema, conditions, matches });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const problem = `${JSON.stringify(pattern)} in "patternProperties" is not supported: ${why}`;
      if (!isPattern(pattern)) refuse(path, problem);
      cannotKeep(path, "patternProperties", problem);
    }
  }
  return found;
}
