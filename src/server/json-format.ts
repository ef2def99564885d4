import { z } from "zod";
import { BitNetError } from "../errors.js";
import type { Grammar } from "../grammar/grammar.js";
import { jsonGrammar } from "../grammar/json-grammar.js";
import { checkBody, optional } from "./body.js";
import { badRequest } from "./failures.js";

const anyObject = { type: "object" };

const openAiSchema = z.object({
  response_format: optional(
    z.discriminatedUnion(
      "type",
      [
        z.object({ type: z.literal("text") }),
        z.object({ type: z.literal("json_object") }),
        z.object({
          type: z.literal("json_schema"),
          json_schema: z.object({ schema: optional(z.record(z.string(), z.unknown())) }),
        }),
      ],
      {
        error:
          'expected { type: "text" }, { type: "json_object" } or { type: "json_schema", json_schema: { schema } }',
      },
    ),
  ),
});
const ollamaSchema = z.object({
  format: optional(
    z.union([z.enum(["", "json"]), z.record(z.string(), z.unknown())], {
      error: 'expected "json" or a JSON schema',
    }),
  ),
});

/** What OpenAI's `response_format` demands of a text. */
export function readResponseFormat(body: unknown): Grammar | undefined {
  const { response_format: format } = checkBody(openAiSchema, body);
  if (format === undefined || format.type === "text") return undefined;
  const schema = format.type === "json_schema" ? format.json_schema.schema : undefined;
  return grammarOf("response_format", schema ?? anyObject);
}

/** What Ollama's `format` demands of a text. */
export function readFormat(body: unknown): Grammar | undefined {
  const { format = "" } = checkBody(ollamaSchema, body);
  return format === "" ? undefined : grammarOf("format", format === "json" ? anyObject : format);
}

function grammarOf(param: string, schema: object): Grammar {
  try {
    return jsonGrammar(schema);
  } catch (error) {
    if (error instanceof BitNetError && error.code === "INVALID_ARGUMENT")
      throw badRequest(param, error.message);
    throw error;
  }
}
