import type { ModelDescription, Pooling } from "../architectures/index.js";
import { BitNetError } from "../errors.js";

/** How texts are to be embedded. Every option may be left out. */
export interface EmbedOptions {
  /**
   * "query" puts the instruction in front of each text that the model was trained to find documents with; "document" (default)
   * takes texts as they are. Models that were not trained so make no difference between them.
   */
  readonly kind?: "query" | "document" | undefined;
  /** What the queries are for, in one sentence, where it is not finding passages that answer them. Only with `kind: "query"`. */
  readonly instruction?: string | undefined;
  /** "last" or "mean": which hidden states make the vector. Default: what the file says, else the mean. */
  readonly pooling?: Pooling | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Checked options, defaults filled in. */
export interface ResolvedEmbedOptions {
  /** Put in front of every text. */
  readonly prefix: string;
  readonly pooling: Pooling;
  readonly signal: AbortSignal | undefined;
}

/** What Qwen3-Embedding's and E5's model cards use for web search, and BitNet's embedding models, which come from E5. */
const defaultInstruction = "Given a web search query, retrieve relevant passages that answer the query";

/**
 * Checks every option and fills in the model's defaults.
 * @throws `INVALID_ARGUMENT` naming the option, its value and what it may be.
 */
export function resolveEmbedOptions(
  options: EmbedOptions | undefined,
  model: ModelDescription,
): ResolvedEmbedOptions {
  if (typeof (options ?? {}) !== "object") throw invalid("options", options, "an object");
  const { kind = "document", instruction, pooling, signal } = options ?? {};
  if (kind !== "query" && kind !== "document") throw invalid("kind", kind, '"query" or "document"');
  if (pooling !== undefined && pooling !== "last" && pooling !== "mean") {
    throw invalid("pooling", pooling, '"last" or "mean"');
  }
  if (instruction !== undefined && (typeof instruction !== "string" || kind !== "query")) {
    throw invalid("instruction", instruction, 'a text, and kind "query"');
  }
  return {
    prefix: kind === "query" ? queryPrefix(model, instruction) : "",
    pooling: pooling ?? model.pooling ?? "mean",
    signal,
  };
}

/**
 * The models' cards have the same words and differ in a space: E5, and with it BitNet's embedding models (known by a norm
 * before each projection), "Query: text", Qwen3-Embedding "Query:text". Others were trained without instructions.
 */
function queryPrefix(model: ModelDescription, instruction: string | undefined): string {
  const fromE5 = model.layers[0]?.query.inputNorm !== undefined;
  const fromQwen = model.pooling !== undefined && model.architecture === "qwen3";
  if (!fromE5 && !fromQwen && instruction === undefined) return "";
  const space = fromQwen && !fromE5 ? "" : " ";
  return `Instruct: ${instruction ?? defaultInstruction}\nQuery:${space}`;
}

function invalid(option: string, value: unknown, expected: string): BitNetError {
  return new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid ${option}: ${typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value)} (expected ${expected})`,
    { details: { option, value } },
  );
}
