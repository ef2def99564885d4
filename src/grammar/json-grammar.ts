import { BitNetError } from "../errors.js";
import type { SchemaWarning } from "../options/generate-options.js";
import { nextTurn, shareTurn } from "../text/slices.js";
import { createGrammar, createGrammarAsync, type Grammar } from "./grammar.js";
import { checkDepth } from "./json-schema/depth.js";
import { jsonSchemaExpression, jsonSchemaSteps } from "./json-schema/json-schema.js";
import type { OnWeakened } from "./json-schema/weaken.js";

/** Programs repeat the same few schemas. A kept grammar also keeps the allowed tokens of its states. */
const maxKept = 16;
const maxKeyLength = 1 << 16;
/** Such a schema is compiled in some milliseconds. */
const shortKeyLength = 1024;
const kept = new Map<string, SchemaGrammar>();

/** A grammar of JSON that a schema accepts. */
export interface SchemaGrammar extends Grammar {
  /** Keywords that the text may violate. */
  readonly warnings: readonly SchemaWarning[];
}

export interface SchemaGrammarOptions {
  /** Unsupported keywords are left out, with a warning. Default: they are refused. */
  readonly isLoose?: boolean | undefined;
}

/**
 * The grammar of JSON that a schema accepts.
 *
 * @throws BitNetError INVALID_ARGUMENT if the schema is invalid or unsupported, or accepts nothing.
 */
export function jsonGrammar(schema: unknown, { isLoose = false }: SchemaGrammarOptions = {}): SchemaGrammar {
  const key = keyOf(schema, isLoose);
  const known = kept.get(key);
  if (known !== undefined) return keep(key, known);
  const { warnings, onWeakened } = collectWarnings();
  const grammar = createGrammar(jsonSchemaExpression(schema, isLoose ? onWeakened : undefined));
  return keep(key, { ...grammar, warnings });
}

/**
 * As `jsonGrammar`, in slices between which other events run.
 *
 * @throws BitNetError INVALID_ARGUMENT also if the schema is changed meanwhile.
 */
export async function jsonGrammarAsync(
  schema: unknown,
  { isLoose = false }: SchemaGrammarOptions = {},
): Promise<SchemaGrammar> {
  const key = keyOf(schema, isLoose);
  const known = kept.get(key);
  if (known !== undefined) return keep(key, known);
  // Requests of the same moment share the work.
  let grammar = compiling.get(key);
  if (grammar === undefined) {
    grammar = compile(schema, key, isLoose).finally(() => compiling.delete(key));
    compiling.set(key, grammar);
  }
  const made = await grammar;
  // Requests that waited for the same schema go on one by one.
  if (key.length > shortKeyLength) await nextTurn();
  return keep(key, made);
}

const compiling = new Map<string, Promise<SchemaGrammar>>();

async function compile(schema: unknown, key: string, isLoose: boolean): Promise<SchemaGrammar> {
  if (key.length > shortKeyLength) await nextTurn();
  const { warnings, onWeakened } = collectWarnings();
  const grammar = await createGrammarAsync(jsonSchemaSteps(schema, isLoose ? onWeakened : undefined));
  await shareTurn();
  // Its owner may have changed it between two slices. Such a grammar is of neither schema.
  if (keyOf(schema, isLoose) === key) return { ...grammar, warnings };
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot keep to the JSON schema: it was changed during its compilation",
    {
      details: { option: "jsonSchema" },
    },
  );
}

/** Collects warnings. Each keyword is reported once. */
export function collectWarnings(): {
  readonly warnings: readonly SchemaWarning[];
  readonly onWeakened: OnWeakened;
} {
  const warnings: SchemaWarning[] = [];
  const onWeakened = (warning: SchemaWarning): void => {
    const { path, keyword } = warning;
    if (!warnings.some((each) => each.path === path && each.keyword === keyword)) warnings.push(warning);
  };
  return { warnings, onWeakened };
}

function keep(key: string, grammar: SchemaGrammar): SchemaGrammar {
  kept.delete(key);
  if (key.length <= maxKeyLength) kept.set(key, grammar);
  const oldest = kept.size > maxKept ? kept.keys().next().value : undefined;
  if (oldest !== undefined) kept.delete(oldest);
  return grammar;
}

function keyOf(schema: unknown, isLoose: boolean): string {
  checkDepth(schema);
  return `${isLoose ? "loose" : ""}${JSON.stringify(schema) ?? ""}`;
}
