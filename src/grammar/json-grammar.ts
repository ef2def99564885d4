import { createGrammar, type Grammar } from "./grammar.js";
import { jsonSchemaExpression } from "./json-schema.js";

/** Programs ask for the same few schemas again and again; with a grammar stays what it has learnt of a vocabulary. */
const mostKept = 16;
const longestKept = 1 << 16;
const kept = new Map<string, Grammar>();

/**
 * The grammar of JSON that a schema accepts.
 *
 * @throws BitNetError INVALID_ARGUMENT if the schema is none, cannot be kept to, or accepts nothing.
 */
export function jsonGrammar(schema: unknown): Grammar {
  const key = JSON.stringify(schema) ?? "";
  const grammar = kept.get(key) ?? createGrammar(jsonSchemaExpression(schema));
  kept.delete(key);
  if (key.length <= longestKept) kept.set(key, grammar);
  const oldest = kept.size > mostKept ? kept.keys().next().value : undefined;
  if (oldest !== undefined) kept.delete(oldest);
  return grammar;
}
