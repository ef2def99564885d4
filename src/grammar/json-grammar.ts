import { createGrammar, type Grammar } from "./grammar.js";
import { checkDepth } from "./json-schema/depth.js";
import { jsonSchemaExpression } from "./json-schema/json-schema.js";

/** Programs repeat the same few schemas. A kept grammar also keeps the allowed tokens of its states. */
const maxKept = 16;
const maxKeyLength = 1 << 16;
const kept = new Map<string, Grammar>();

/**
 * The grammar of JSON that a schema accepts.
 *
 * @throws BitNetError INVALID_ARGUMENT if the schema is invalid or unsupported, or accepts nothing.
 */
export function jsonGrammar(schema: unknown): Grammar {
  const key = keyOf(schema);
  const grammar = kept.get(key) ?? createGrammar(jsonSchemaExpression(schema));
  kept.delete(key);
  if (key.length <= maxKeyLength) kept.set(key, grammar);
  const oldest = kept.size > maxKept ? kept.keys().next().value : undefined;
  if (oldest !== undefined) kept.delete(oldest);
  return grammar;
}

function keyOf(schema: unknown): string {
  checkDepth(schema);
  return JSON.stringify(schema) ?? "";
}
