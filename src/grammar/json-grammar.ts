import { BitNetError } from "../errors.js";
import { nextTurn } from "../text/slices.js";
import { createGrammar, createGrammarAsync, type Grammar } from "./grammar.js";
import { checkDepth } from "./json-schema/depth.js";
import { jsonSchemaExpression, jsonSchemaSteps } from "./json-schema/json-schema.js";

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

/**
 * As `jsonGrammar`, in slices between which other events run.
 *
 * @throws BitNetError INVALID_ARGUMENT also if the schema is changed meanwhile.
 */
export async function jsonGrammarAsync(schema: unknown): Promise<Grammar> {
  const key = keyOf(schema);
  const known = kept.get(key);
  if (known !== undefined) return keep(key, known);
  // Requests of the same moment share the work.
  let grammar = compiling.get(key);
  if (grammar === undefined) {
    grammar = compile(schema, key).finally(() => compiling.delete(key));
    compiling.set(key, grammar);
  }
  const made = await grammar;
  // Requests that waited for the same schema go on one by one.
  if (key.length > shortKeyLength) await nextTurn();
  return keep(key, made);
}

const compiling = new Map<string, Promise<Grammar>>();

async function compile(schema: unknown, key: string): Promise<Grammar> {
  if (key.length > shortKeyLength) await nextTurn();
  const grammar = await createGrammarAsync(jsonSchemaSteps(schema));
  // Its owner may have changed it between two slices. Such a grammar is of neither schema.
  if (keyOf(schema) === key) return grammar;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot keep to the JSON schema: it was changed during its compilation",
    {
      details: { option: "jsonSchema" },
    },
  );
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
