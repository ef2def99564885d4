import { refuse } from "./refuse.js";
import { type Fields, isFields, jsonTypes, listedValues, requiredNames } from "./schema-fields.js";

/** Returns the target of a "$ref". `path` is the position of the "$ref", for messages. */
export type Resolve = (reference: unknown, path: string) => unknown;

/** Longest chain of references. */
const maxReferences = 200;

/** Refuses a "oneOf" unless any two of its schemas certainly exclude each other. */
export function requireDifferent(options: readonly unknown[], path: string, resolve: Resolve): void {
  const followed = options.map((option) => follow(option, path, resolve));
  for (const [index, option] of followed.entries()) {
    const other = followed.slice(0, index).findIndex((each) => !differ(each, option, path, resolve));
    if (other === -1) continue;
    refuse(path, `"oneOf" has schemas that may accept the same value (${other} and ${index}): use "anyOf"`);
  }
}

/** The schema itself, or the target of its references. */
function follow(schemaOrReference: unknown, path: string, resolve: Resolve): unknown {
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
