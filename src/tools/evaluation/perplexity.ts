import { BitNetError, throwIfAborted } from "../../errors.js";
import { exp } from "../../generation/sampling/deterministic-math.js";
import { encodeOpenText } from "../../generation/prompt.js";
import type { InnerLanguageModel, LanguageModel } from "../../language-model.js";
import { checkWhole } from "../../options/checks.js";
import { logLikelihoods } from "./log-likelihood.js";

export interface PerplexityOptions {
  /** Tokens of a chunk, from 3 to the model's context length. Default 512, or the model's context where it is shorter. */
  readonly contextLength?: number | undefined;
  /** Most chunks to evaluate, from 1. Default: all that the text has. */
  readonly chunks?: number | undefined;
  /**
   * Chunks begin this many tokens after one another and overlap, and of each the last `stride` tokens are scored, so that
   * nearly all of the text is. Chunks are then `contextLength` and half the stride long, and none but the first begins with
   * BOS: llama-perplexity's `--ppl-stride`. Default: chunks follow one another, and the second half of each is scored.
   */
  readonly stride?: number | undefined;
  /** Called after every chunk with what there is so far. */
  readonly onProgress?: ((soFar: PerplexityResult, totalChunks: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PerplexityResult {
  /** e to the mean of −ln p over the scored tokens. */
  readonly perplexity: number;
  /** One standard error of `perplexity`; undefined where fewer than two tokens were scored. */
  readonly uncertainty: number | undefined;
  /** Σ −ln p. */
  readonly negativeLogLikelihood: number;
  /** How many tokens were scored. */
  readonly tokens: number;
  /** How many chunks were evaluated. */
  readonly chunks: number;
  /** Tokens of each. */
  readonly chunkTokens: number;
}

/** What llama-perplexity takes, and so most published figures are of. */
export const defaultChunkTokens = 512;
/** The shortest chunk whose second half has a token to score. */
const leastContextLength = 3;

/**
 * How surprised a model is by a text, as llama-perplexity defines it: the text is tokenized once, with BOS if the model
 * wants it, and cut into chunks of `contextLength` tokens. Each is evaluated by itself, its first token replaced by BOS if
 * the model wants one. Scored are the tokens after positions contextLength / 2 … contextLength − 2, which have at least half
 * a chunk before them; a last chunk that is not full is left out.
 *
 * The arithmetic on logits is f64 in a fixed order (docs/NUMERICS.md): every runtime gives the same number.
 *
 * @example
 * const { perplexity: value, uncertainty } = await perplexity(model, text, { contextLength: 128 });
 * @throws BitNetError INVALID_ARGUMENT for options out of range and a text of fewer than two chunks; what `evaluate` throws;
 *   rejects with `signal.reason`.
 */
export async function perplexity(
  model: LanguageModel,
  text: string,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { tokenizer, info, createSession } = model as InnerLanguageModel;
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const window = planWindow(options, info.contextLength);
  const ids = encodeOpenText(tokenizer, text);
  const [bosId] = encodeOpenText(tokenizer, "");
  const starts = planChunks(window, ids.length, options.chunks);

  const sum = createSum(window.tokens);
  using session = createSession({ contextLength: window.tokens });
  const scorer = { session, vocabSize: tokenizer.vocabSize };
  for (const [index, start] of starts.entries()) {
    const chunk = ids.slice(start, start + window.tokens);
    const targets = chunk.slice(window.firstRow + 1);
    if (bosId !== undefined && window.stride === undefined) chunk[0] = bosId;
    session.truncate(0);
    // The last token is scored and predicts nothing that would be.
    const [values = []] = await logLikelihoods(scorer, chunk.slice(0, -1), [targets], signal);
    for (const value of values) sum.add(-value);
    onProgress?.(sum.result(index + 1), starts.length);
  }
  return sum.result(starts.length);
}

/** The shape of every chunk. */
interface Window {
  readonly tokens: number;
  /** The first position whose prediction is scored; the last is the one before the chunk's last. */
  readonly firstRow: number;
  readonly stride: number | undefined;
}

function planWindow(options: PerplexityOptions, max: number): Window {
  const { stride } = options;
  const contextLength = options.contextLength ?? Math.min(defaultChunkTokens, max);
  checkWhole("contextLength", contextLength, leastContextLength, max);
  if (options.chunks !== undefined) checkWhole("chunks", options.chunks, 1, Number.MAX_SAFE_INTEGER);
  if (stride === undefined) {
    return { tokens: contextLength, firstRow: Math.floor(contextLength / 2), stride };
  }
  checkWhole("stride", stride, 1, 2 * (contextLength - 1));
  const tokens = contextLength + Math.floor(stride / 2);
  if (tokens > max) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid stride: ${stride} makes chunks of ${tokens} tokens, ${contextLength} and half the stride, and the model's context holds ${max}; choose less of either`,
      { details: { option: "stride", value: stride, contextLength, max } },
    );
  }
  return { tokens, firstRow: tokens - stride - 1, stride };
}

/** Where chunks begin. */
function planChunks(
  { tokens, stride }: Window,
  textTokens: number,
  max: number | undefined,
): readonly number[] {
  if (textTokens < 2 * tokens) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot measure perplexity: the text has ${textTokens} tokens, and chunks of ${tokens} need at least ${2 * tokens}; give a longer text, or chunks of ${Math.floor(textTokens / 2)} or fewer`,
      { details: { textTokens, needed: 2 * tokens } },
    );
  }
  const count =
    stride === undefined ? Math.floor(textTokens / tokens) : Math.ceil((textTokens - tokens) / stride);
  return Array.from({ length: Math.min(count, max ?? count) }, (_, index) => index * (stride ?? tokens));
}

/** −ln p of the tokens so far. */
interface Sum {
  add(value: number): void;
  result(chunks: number): PerplexityResult;
}

function createSum(chunkTokens: number): Sum {
  let tokens = 0;
  let sum = 0;
  let squares = 0;
  return {
    add(value): void {
      tokens += 1;
      sum += value;
      squares += value * value;
    },
    result(chunks): PerplexityResult {
      const mean = sum / tokens;
      const value = exp(mean);
      // Equal values differ from their mean by rounding alone, which may fall below 0.
      const variance = Math.max(0, squares / tokens - mean * mean);
      const uncertainty = tokens > 1 ? value * Math.sqrt(variance / (tokens - 1)) : undefined;
      return { perplexity: value, uncertainty, negativeLogLikelihood: sum, tokens, chunks, chunkTokens };
    },
  };
}
