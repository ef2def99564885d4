import { z } from "zod";
import { BitNetError } from "../../errors.js";
import type { Grammar } from "../../grammar/grammar.js";
import { jsonGrammarAsync } from "../../grammar/json-grammar.js";
import type { SchemaWarning } from "../../options/generate-options.js";
import { shareTurn } from "../../text/slices.js";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "./body.js";
import { checkLimit, type RequestLimits } from "./limits.js";

/** The schema of a request for JSON that gives no schema of its own. */
export const anyObject = { type: "object" } as const;

/** A schema that an answer must keep. */
export interface AskedSchema {
  /** The field that holds it. */
  readonly param: string;
  readonly schema: object;
}

/** Whether keywords that a grammar cannot keep to are refused, or left out with a warning. */
export type SchemaMode = "strict" | "loose";

/** The field that leaves out such keywords, in every protocol. */
export const schemaModePart: RequestPart<SchemaMode> = requestPart(
  { schema_mode: optional(z.enum(["strict", "loose"])) },
  ({ schema_mode: mode = "strict" }) => mode,
);

/** How an answer keeps to a schema. */
export interface KeptSchema {
  readonly grammar: Grammar | undefined;
  /** The answer's fields about keywords that it may violate. */
  readonly warningFields: { readonly warnings?: readonly SchemaWarning[] };
}

function isFields(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws Failure 400 if a schema, or its patterns, would take too long to compile. */
export function checkSchemaSize({ param, schema }: AskedSchema, limits: RequestLimits): void {
  const what = "characters in its schema";
  checkLimit(limits, "schemaCharacters", { param, count: JSON.stringify(schema).length, what });
  let count = 0;
  const open: unknown[] = [schema];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) {
      for (const inner of value as readonly unknown[]) if (typeof inner === "object") open.push(inner);
      continue;
    }
    for (const [name, inner] of Object.entries(value)) {
      if (name === "pattern" && typeof inner === "string") count += inner.length;
      else if (inner !== undefined) open.push(inner);
      // Its keys are patterns, too.
      if (name === "patternProperties" && isFields(inner)) count += Object.keys(inner).join("").length;
    }
  }
  checkLimit(limits, "patternCharacters", { param, count, what: "characters in its patterns" });
}

/**
 * The grammar of the JSON that a schema accepts, compiled in slices. A Failure with status 400
 * names the field if the schema cannot be kept.
 */
export async function schemaGrammar(
  asked: AskedSchema | undefined,
  mode: SchemaMode,
  limits: RequestLimits,
): Promise<KeptSchema> {
  if (asked === undefined) return { grammar: undefined, warningFields: {} };
  return keepSchema(asked, limits, async () => {
    const grammar = await jsonGrammarAsync(asked.schema, { isLoose: mode === "loose" });
    return { grammar, warnings: grammar.warnings };
  });
}

/** Calls `compile` for a schema of a good size. Its refusals are failures that name the field. */
export async function keepSchema(
  asked: AskedSchema,
  limits: RequestLimits,
  compile: () => Promise<{ readonly grammar: Grammar; readonly warnings: readonly SchemaWarning[] }>,
): Promise<KeptSchema> {
  await shareTurn();
  checkSchemaSize(asked, limits);
  await shareTurn();
  try {
    const { grammar, warnings } = await compile();
    return { grammar, warningFields: warnings.length === 0 ? {} : { warnings } };
  } catch (error) {
    if (error instanceof BitNetError && error.code === "INVALID_ARGUMENT")
      throw badRequest(asked.param, error.message);
    throw error;
  }
}
