import type { Steps } from "../../text/slices.js";
import { cannotKeep, refuse } from "./refuse.js";
import { type Fields, isFields, jsonTypes, listedValues, requiredNames } from "./schema-fields.js";

/** Returns the target of a "$ref". `path` is the position of the "$ref", for messages. */
export type Resolve = (reference: unknown, path: string) => unknown;

/** Longest chain of references. */
const maxReferences = 200;
/** Each is compared with each: 100 take some milliseconds. */
const maxCompared = 100;

/**
 * The schemas of a "oneOf", for "anyOf". A schema that may accept a value of another one is kept from the
 * values of that one.
 *
 * @param opposite returns the schemas of the values that do not fit a schema, or undefined.
 * @throws CannotKeepError if that is not possible.
 */
export function* exclusiveOptions(
  options: readonly unknown[],
  path: string,
  resolve: Resolve,
  opposite: (schema: unknown) => readonly unknown[] | undefined,
): Steps<readonly unknown[]> {
  const followed = options.map((option) => follow(option, path, resolve));
  const listed = followed.map((option) => (isFields(option) ? listedValues(option) : undefined));
  if (listed.every((values) => values !== undefined)) {
    requireDistinct(listed, path);
    return options;
  }
  if (options.length > maxCompared) {
    cannotKeep(
      path,
      "oneOf",
      `"oneOf" has more than ${maxCompared} schemas that are no constants: use "anyOf"`,
    );
  }
  const opposites = new Map<unknown, readonly unknown[] | undefined>();
  const others: unknown[][] = options.map(() => []);
  for (const [index, option] of followed.entries()) {
    yield;
    for (const [before, other] of followed.slice(0, index).entries()) {
      if (differ(other, option, path, resolve)) continue;
      for (const [from, excluded] of [
        [before, option],
        [index, other],
      ] as const) {
        const found = opposites.get(excluded) ?? opposite(excluded);
        opposites.set(excluded, found);
        if (found === undefined) cannotKeep(path, "oneOf", overlap(before, index));
        others[from]?.push(found.length === 0 ? false : { anyOf: found });
      }
    }
  }
  return options.map((option, index) => {
    const excluded = others[index] ?? [];
    return excluded.length === 0 ? option : { allOf: [option, ...excluded] };
  });
}

function requireDistinct(lists: readonly (readonly string[])[], path: string): void {
  const seen = new Map<string, number>();
  for (const [index, values] of lists.entries()) {
    for (const value of values) {
      const other = seen.get(value);
      if (other !== undefined && other !== index) cannotKeep(path, "oneOf", overlap(other, index));
      seen.set(value, index);
    }
  }
}

function overlap(first: number, second: number): string {
  return `"oneOf" has schemas that may accept the same value (${first} and ${second}): use "anyOf"`;
}

/** The schema itself, or the target of its references. */
export function follow(schemaOrReference: unknown, path: string, resolve: Resolve): unknown {
  let found = schemaOrReference;
  for (let steps = 0; steps < maxReferences; steps += 1) {
    if (!isFields(found) || found.$ref === undefined) return found;
    found = resolve(found.$ref, path);
  }
  return refuse(path, '"$ref" goes in a circle');
}

/** Whether two schemas certainly accept no value in common. */
function differ(a: unknown, b: unknown, path: string, resolve: Resolve): boolean {
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
      follow((fields.properties as Fields | undefined)?.[name], path, resolve);
    return differ(inside(a), inside(b), path, resolve);
  });
}
