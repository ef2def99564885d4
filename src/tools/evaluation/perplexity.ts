import { BitNetError, throwIfAborted } from "../../errors.js";
import { exp } from "../../generation/sampling/deterministic-math.js";
import { encodeOpenText } from "../../generation/prompt.js";
import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { checkWhole } from "../../options/checks.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { logLikelihoods } from "./log-likelihood.js";

/** Options of `perplexity`. */
export interface PerplexityOptions {
  /**
   * Tokens per chunk, 3 to the model's context length. Default: 512, or the model's context length if that is
   * less.
   */
  readonly contextLength?: number | undefined;
  /** Maximum number of chunks to evaluate, from 1. Default: all chunks of the text. */
  readonly chunks?: number | undefined;
  /**
   * Distance between the beginnings of two chunks, in tokens, as llama-perplexity's `--ppl-stride`. Chunks
   * then overlap, are `contextLength` plus half the stride long, and the last `stride` tokens of each are
   * scored. Only the first begins with BOS. Default: chunks do not overlap, and the second half of each is
   * scored.
   */
  readonly stride?: number | undefined;
  /**
   * Control tokens that the text spells become tokens, for templated conversations.
   * BOS is not added to a text that spells it. Default: false.
   */
  readonly parseSpecial?: boolean | undefined;
  /** Called after every chunk, with the result so far. */
  readonly onProgress?: ((soFar: PerplexityResult, totalChunks: number) => void) | undefined;
  /** Stops the evaluation. */
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof PerplexityOptions, true> = {
  contextLength: true,
  chunks: true,
  stride: true,
  parseSpecial: true,
  onProgress: true,
  signal: true,
};

/** The perplexity of a text, or of its chunks so far. */
export interface PerplexityResult {
  /** e to the mean of −ln p over the scored tokens. */
  readonly perplexity: number;
  /** One standard error of `perplexity`. Undefined if fewer than two tokens were scored. */
  readonly uncertainty: number | undefined;
  /** Σ −ln p over the scored tokens, in nats. */
  readonly negativeLogLikelihood: number;
  /** Number of scored tokens. */
  readonly tokens: number;
  /** Number of evaluated chunks. */
  readonly chunks: number;
  /** Tokens per chunk. */
  readonly chunkTokens: number;
}

/** As llama-perplexity. Most published perplexities use it. */
export const defaultChunkTokens = 512;
/** The shortest chunk whose second half has a token to score. */
const minContextLength = 3;

/**
 * Measures how well a model predicts a text, as llama-perplexity defines it.
 *
 * The text is tokenized once and cut into chunks of `contextLength` tokens; an incomplete last chunk is
 * dropped. Each chunk is evaluated by itself, with its first token replaced by BOS if the model wants BOS.
 * The tokens after positions contextLength / 2 … contextLength − 2 are scored, so every scored token has at
 * least half a chunk before it.
 *
 * The arithmetic on logits is f64 in a fixed order (docs/NUMERICS.md): every runtime gives the same number.
 *
 * @param text at least two chunks long.
 * @example
 * const { perplexity: value, uncertainty } = await perplexity(model, text, { contextLength: 128 });
 * @throws BitNetError INVALID_ARGUMENT also for a text that is too short; OUT_OF_MEMORY, WORKER_FAILED,
 *   DISPOSED. Rejects with `signal.reason`.
 */
export async function perplexity(
  model: LanguageModel,
  text: string,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  refuseUnknownOptions("perplexity", options, Object.keys(knownOptions));
  const { engine, tokenizer } = internalsOf(model);
  const { signal, onProgress, parseSpecial = false } = options;
  throwIfAborted(signal);
  const window = planWindow(options, model.info.contextLength);
  const ids = encodeOpenText(tokenizer, text, { parseSpecial });
  const [bosId] = encodeOpenText(tokenizer, "");
  const starts = planChunks(window, ids.length, options.chunks);

  const sum = createSum(window.tokens);
  using session = engine.openSession(window.tokens);
  const scorer = { session, vocabSize: tokenizer.vocabSize };
  for (const [index, start] of starts.entries()) {
    const chunk = ids.slice(start, start + window.tokens);
    const targets = chunk.slice(window.firstRow + 1);
    if (bosId !== undefined && window.stride === undefined) chunk[0] = bosId;
    session.truncate(0);
    // The last token is scored, and no scored token follows it.
    const [values = []] = await logLikelihoods(scorer, chunk.slice(0, -1), [targets], signal);
    for (const value of values) sum.add(-value);
    onProgress?.(sum.result(index + 1), starts.length);
  }
  return sum.result(starts.length);
}

/** The shape of every chunk. */
interface Window {
  readonly tokens: number;
  /** The first position with a scored prediction. The last is the one before the chunk's last. */
  readonly firstRow: number;
  readonly stride: number | undefined;
}

function planWindow(options: PerplexityOptions, max: number): Window {
  const { stride } = options;
  const contextLength = options.contextLength ?? Math.min(defaultChunkTokens, max);
  checkWhole("contextLength", contextLength, minContextLength, max);
  if (options.chunks !== undefined) checkWhole("chunks", options.chunks, 1);
  if (stride === undefined) {
    return { tokens: contextLength, firstRow: Math.floor(contextLength / 2), stride };
  }
  checkWhole("stride", stride, 1, 2 * (contextLength - 1));
  const tokens = contextLength + Math.floor(stride / 2);
  if (tokens > max) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid stride: ${stride} makes chunks of ${tokens} tokens (${contextLength} and half the stride), and the model's context holds ${max}; reduce one of them`,
      { details: { option: "stride", value: stride, contextLength, max } },
    );
  }
  return { tokens, firstRow: tokens - stride - 1, stride };
}

/** Starts of the chunks. */
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
      // Equal values differ from their mean only by rounding, so the difference may fall below 0.
      const variance = Math.max(0, squares / tokens - mean * mean);
      const uncertainty = tokens > 1 ? value * Math.sqrt(variance / (tokens - 1)) : undefined;
      return { perplexity: value, uncertainty, negativeLogLikelihood: sum, tokens, chunks, chunkTokens };
    },
  };
}
