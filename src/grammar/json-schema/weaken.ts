import type { SchemaWarning } from "../../options/generate-options.js";
import type { Steps } from "../../text/slices.js";
import { TooManyStatesError } from "./intersection.js";
import { CannotKeepError } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** Receives the keywords that are left out. */
export type OnWeakened = (warning: SchemaWarning) => void;

/** Keywords that mean nothing without another one, or too much. */
const companions: Readonly<Record<string, readonly string[]>> = {
  if: ["then", "else"],
  contains: ["minContains", "maxContains"],
  // Its names would count as additional ones.
  patternProperties: ["additionalProperties", "unevaluatedProperties"],
};
/** Keywords whose restrictions need automata, the likeliest cause of too many states first. */
const stateful = ["not", "patternProperties", "propertyNames", "multipleOf", "enum", "const"];

/**
 * Reads a schema. With `onWeakened`, keywords that a grammar cannot keep to are left out, one by one.
 *
 * @throws CannotKeepError without `onWeakened`.
 */
export function* readWeakened<T>(
  fields: Fields,
  path: string,
  onWeakened: OnWeakened | undefined,
  read: (fields: Fields) => Steps<T>,
): Steps<T> {
  for (let kept = fields; ;) {
    try {
      return yield* read(kept);
    } catch (error) {
      const cause = onWeakened && causeOf(error, kept, path);
      if (cause === undefined) throw error;
      for (const keyword of [cause.keyword, ...(companions[cause.keyword] ?? [])]) {
        if (kept[keyword] !== undefined) onWeakened?.({ path, ...cause, keyword });
      }
      kept = without(kept, cause.keyword);
    }
  }
}

function causeOf(error: unknown, fields: Fields, path: string): Omit<SchemaWarning, "path"> | undefined {
  if (error instanceof TooManyStatesError) {
    const keyword = stateful.find((name) => fields[name] !== undefined);
    return keyword === undefined ? undefined : { keyword, message: error.message };
  }
  if (!(error instanceof CannotKeepError)) return undefined;
  const isOfNames = error.path === `${path}/propertyNames`;
  if (error.path !== path && !isOfNames) return undefined;
  // Several patterns of one string stand in "allOf".
  const names = isOfNames ? ["propertyNames"] : [error.keyword, "allOf"];
  const keyword = names.find((name) => fields[name] !== undefined);
  return keyword === undefined ? undefined : { keyword, message: error.problem };
}

function without(fields: Fields, keyword: string): Fields {
  // The members before the last one may fit together.
  if (keyword === "allOf" && Array.isArray(fields.allOf) && fields.allOf.length > 1)
    return { ...fields, allOf: fields.allOf.slice(0, -1) as readonly unknown[] };
  const gone = [keyword, ...(companions[keyword] ?? [])];
  const left: Fields = Object.fromEntries(Object.entries(fields).filter(([name]) => !gone.includes(name)));
  // A value that fits one schema of "oneOf" also fits "anyOf".
  if (keyword !== "oneOf") return left;
  if (left.anyOf === undefined) return { ...left, anyOf: fields.oneOf };
  return { ...left, allOf: [...[left.allOf ?? []].flat(), { anyOf: fields.oneOf }] };
}
