import { z } from "zod";

/** An object with any fields. Zod's own records copy every field. */
export const anyFields: z.ZodType<Readonly<Record<string, unknown>>> = z.custom<
  Readonly<Record<string, unknown>>
>((value) => typeof value === "object" && value !== null && !Array.isArray(value), {
  error: "expected an object",
});

/**
 * A list that is checked up to its first wrong entry. Zod's own arrays collect the issues of all entries, and
 * count the entries last.
 */
export function listOf<T>(
  entry: z.ZodType<T>,
  { min = 0, max = Infinity }: { readonly min?: number; readonly max?: number } = {},
): z.ZodType<T[]> {
  return z.unknown().transform((value, context): T[] => {
    const wrong = (message: string, path: PropertyKey[] = []): never => {
      context.issues.push({ code: "custom", message, path, input: value });
      return z.NEVER;
    };
    if (!Array.isArray(value)) return wrong("expected an array");
    if (value.length < min || value.length > max) {
      return wrong(`expected ${max === Infinity ? `at least ${min}` : `${min} to ${max}`} entries`);
    }
    const entries: T[] = [];
    for (const [index, each] of (value as readonly unknown[]).entries()) {
      const { data, error } = entry.safeParse(each);
      if (error !== undefined) {
        const [issue] = error.issues;
        return wrong(issue?.message ?? "not as expected", [index, ...(issue?.path ?? [])]);
      }
      entries.push(data);
    }
    return entries;
  });
}

/** Whether a value is a list of whole numbers from 0, at least one. */
export function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id) && id >= 0);
}

/** Whether a value is a list of 1 to `max` texts. */
export function isTexts(value: unknown, max?: number): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= (max ?? Infinity) &&
    value.every((text) => typeof text === "string")
  );
}
