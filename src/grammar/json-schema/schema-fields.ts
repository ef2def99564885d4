/** A schema that is an object. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function hasType(schema: unknown, type: unknown): boolean {
  return isFields(schema) && JSON.stringify(schema.type) === JSON.stringify(type);
}

export function valueHasType(value: unknown, type: unknown): boolean {
  return (Array.isArray(type) ? type : [type]).some((each: unknown) => {
    if (each === "null") return value === null;
    if (each === "array") return Array.isArray(value);
    if (each === "object") return isFields(value);
    if (each === "integer") return Number.isInteger(value);
    return typeof value === each;
  });
}

export function listedValues(fields: Fields): readonly string[] | undefined {
  const several = fields.enum;
  if (fields.const !== undefined) return [JSON.stringify(fields.const)];
  return Array.isArray(several) ? several.map((value) => JSON.stringify(value)) : undefined;
}

export function jsonTypes(fields: Fields): readonly unknown[] | undefined {
  const listed = listedValues(fields);
  const named: readonly unknown[] | undefined =
    listed?.map((spelt) => typeOf(JSON.parse(spelt))) ??
    (fields.type === undefined ? undefined : [fields.type].flat());
  // Every integer is a number.
  return named?.map((type) => (type === "integer" ? "number" : type));
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

export function requiredNames({ required }: Fields): readonly string[] {
  return Array.isArray(required) ? required.filter((name) => typeof name === "string") : [];
}
