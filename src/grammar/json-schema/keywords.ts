export const types = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
export type Type = (typeof types)[number];

/** Keywords that restrict values, by the type that they apply to. All others are annotations. */
export const keywords: Readonly<Record<string, Type | "any">> = {
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
  ...about("any", ["not", "if", "$dynamicRef", "$recursiveRef"]),
};
/** Keywords that are refused. */
export const unsupported: readonly string[] = ["$dynamicRef", "$recursiveRef"];
/** Keywords that are expanded. At their place, only their wrong form is left. */
export const dependencyKeywords = ["dependencies", "dependentRequired", "dependentSchemas"] as const;
/** Keywords that mean nothing without another one, and that one. */
export const dependent: Readonly<Record<string, string>> = {
  minContains: "contains",
  maxContains: "contains",
};

function about<T>(type: T, names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name) => [name, type]));
}

export function isType(value: unknown): value is Type {
  return types.some((type) => type === value);
}
