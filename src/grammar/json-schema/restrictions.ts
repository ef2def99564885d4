import { dependent, isType, keywords, type Type, types, unsupported } from "./keywords.js";
import { cannotKeep, refuse } from "./refuse.js";
import type { Fields } from "./schema-fields.js";

/** The keywords that restrict values. */
export function restrictionsOf(fields: Fields): readonly string[] {
  const isMeant = (name: string): boolean => {
    const other = dependent[name];
    return other === undefined || fields[other] !== undefined;
  };
  return Object.keys(fields).filter(
    (name) => Object.hasOwn(keywords, name) && fields[name] !== undefined && isMeant(name),
  );
}

/** @throws CannotKeepError for a keyword that no grammar keeps to. */
export function refuseUnsupported(fields: Fields, path: string): void {
  for (const name of unsupported)
    if (fields[name] !== undefined) cannotKeep(path, name, `"${name}" is not supported`);
}

/** The schema's "type", or else the types that its keywords apply to. */
export function typesOf(fields: Fields, path: string): readonly Type[] {
  const { type } = fields;
  if (type !== undefined) {
    const listed: readonly unknown[] = Array.isArray(type) ? type : [type];
    return listed.map((name) => {
      const found = types.find((each) => each === name);
      return found ?? refuse(path, `"type" is ${JSON.stringify(name)} (expected one of ${types.join(", ")})`);
    });
  }
  const meant = new Set(
    restrictionsOf(fields)
      .map((name) => keywords[name])
      .filter((each) => each !== "any"),
  );
  return meant.size === 0
    ? ["object", "array", "string", "number", "boolean", "null"]
    : [...meant].filter(isType);
}
