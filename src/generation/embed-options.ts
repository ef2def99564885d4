import type { ModelDescription, Pooling } from "../architectures/index.js";
import { invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";

/** Options of `model.embed`. */
export interface EmbedOptions {
  /**
   * "document" embeds texts as they are. "query" prepends the model's instruction for search queries; it
   * changes nothing for a model that was trained without instructions. Default: "document".
   */
  readonly kind?: "query" | "document" | undefined;
  /**
   * Purpose of the queries, in one sentence. Only with `kind: "query"`. Default: "Given a web search query,
   * retrieve relevant passages that answer the query", if the model was trained with instructions.
   */
  readonly instruction?: string | undefined;
  /**
   * The vector is the hidden state of the last token, or the mean of all. Default: the file's, else "mean".
   */
  readonly pooling?: Pooling | undefined;
  /** Stops the work between two passes. */
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof EmbedOptions, true> = {
  kind: true,
  instruction: true,
  pooling: true,
  signal: true,
};

/** Checked options, defaults filled in. */
export interface ResolvedEmbedOptions {
  /** Prepended to every text. */
  readonly prefix: string;
  readonly pooling: Pooling;
  readonly signal: AbortSignal | undefined;
}

/**
 * From the model cards of Qwen3-Embedding and E5, for web search. BitNet's embedding models derive from E5.
 */
const defaultInstruction = "Given a web search query, retrieve relevant passages that answer the query";

/**
 * Checks every option and fills in the model's defaults.
 * @throws BitNetError INVALID_ARGUMENT.
 */
export function resolveEmbedOptions(
  options: EmbedOptions | undefined,
  model: ModelDescription,
): ResolvedEmbedOptions {
  refuseUnknownOptions("embed", options, Object.keys(knownOptions));
  const { kind = "document", instruction, pooling, signal } = options ?? {};
  if (kind !== "query" && kind !== "document") throw invalidOption("kind", kind, '"query" or "document"');
  if (pooling !== undefined && pooling !== "last" && pooling !== "mean") {
    throw invalidOption("pooling", pooling, '"last" or "mean"');
  }
  if (instruction !== undefined && (typeof instruction !== "string" || kind !== "query")) {
    throw invalidOption("instruction", instruction, 'a text, and kind "query"');
  }
  return {
    prefix: kind === "query" ? queryPrefix(model, instruction) : "",
    pooling: pooling ?? model.pooling ?? "mean",
    signal,
  };
}

/**
 * The model cards have the same words and differ in one space: "Query: text" for E5 and BitNet's embedding
 * models (which have a norm before each projection), "Query:text" for Qwen3-Embedding. Other models were
 * trained without instructions.
 */
function queryPrefix(model: ModelDescription, instruction: string | undefined): string {
  const fromE5 = model.layers[0]?.query.inputNorm !== undefined;
  const fromQwen = model.pooling !== undefined && model.architecture === "qwen3";
  if (!fromE5 && !fromQwen && instruction === undefined) return "";
  const space = fromQwen && !fromE5 ? "" : " ";
  return `Instruct: ${instruction ?? defaultInstruction}\nQuery:${space}`;
}
