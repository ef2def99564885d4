import { nextTurn } from "../text/slices.js";
import { createGrammar, createGrammarAsync, type Grammar } from "./grammar.js";
import { checkDepth } from "./json-schema/depth.js";
import { jsonSchemaExpression } from "./json-schema/json-schema.js";

/** Programs repeat the same few schemas. A kept grammar also keeps the allowed tokens of its states. */
const maxKept = 16;
const maxKeyLength = 1 << 16;
/** Such a schema is compiled in some milliseconds. */
const shortKeyLength = 1024;
const kept = new Map<string, Grammar>();

/**
 * The grammar of JSON that a schema accepts.
 *
 * @throws BitNetError INVALID_ARGUMENT if the schema is invalid or unsupported, or accepts nothing.
 */
export function jsonGrammar(schema: unknown): Grammar {
  const key = keyOf(schema);
  return keep(key, kept.get(key) ?? createGrammar(jsonSchemaExpression(schema)));
}

/** As `jsonGrammar`, in slices between which other events run. The schema itself is read in one slice. */
export async function jsonGrammarAsync(schema: unknown): Promise<Grammar> {
  const key = keyOf(schema);
  let grammar = kept.get(key);
  if (grammar === undefined) {
    if (key.length > shortKeyLength) await nextTurn();
    const expression = jsonSchemaExpression(schema);
    if (key.length > shortKeyLength) await nextTurn();
    grammar = await createGrammarAsync(expression);
  }
  return keep(key, grammar);
}

function keep(key: string, grammar: Grammar): Grammar {
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
