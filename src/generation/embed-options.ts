import type { ModelDescription, Pooling } from "../architectures/index.js";
import { invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";

/** Options of `model.embed`. Every option is optional. */
export interface EmbedOptions {
  /**
   * "query" puts the instruction of the model's training in front of each text; "document" takes texts as they are. The
   * two are the same for models that were trained without instructions. Default: "document".
   */
  readonly kind?: "query" | "document" | undefined;
  /** The task of the queries, in one sentence. Only with `kind: "query"`. Default: finding passages that answer them. */
  readonly instruction?: string | undefined;
  /** The vector is the "last" hidden state, or the "mean" of all. Default: the model file's, else "mean". */
  readonly pooling?: Pooling | undefined;
  /** Stops the work when it fires. Default: none. */
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
  /** Text in front of every text. */
  readonly prefix: string;
  readonly pooling: Pooling;
  readonly signal: AbortSignal | undefined;
}

/** The instruction for web search in the model cards of Qwen3-Embedding and E5. BitNet's embedding models derive from E5. */
const defaultInstruction = "Given a web search query, retrieve relevant passages that answer the query";

/**
 * Checks all options and fills in the model's defaults.
 *
 * @throws BitNetError INVALID_ARGUMENT naming the option, its value and the expected values.
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
 * The model cards have the same words and differ in one space: "Query: text" for E5 and BitNet's embedding models (which
 * have a norm before each projection), "Query:text" for Qwen3-Embedding. Other models were trained without instructions.
 */
function queryPrefix(model: ModelDescription, instruction: string | undefined): string {
  const fromE5 = model.layers[0]?.query.inputNorm !== undefined;
  const fromQwen = model.pooling !== undefined && model.architecture === "qwen3";
  if (!fromE5 && !fromQwen && instruction === undefined) return "";
  const space = fromQwen && !fromE5 ? "" : " ";
  return `Instruct: ${instruction ?? defaultInstruction}\nQuery:${space}`;
}
