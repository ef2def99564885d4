import { BitNetError, throwIfAborted } from "../../errors.js";
import { exp } from "../../generation/sampling/deterministic-math.js";
import { encodeOpenText } from "../../generation/prompt.js";
import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { checkWhole } from "../../options/checks.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { logLikelihoods } from "./log-likelihood.js";

export interface PerplexityOptions {
  /**
   * Tokens of a chunk, from 3 to the model's context length. Default 512, or the context length if it is
   * shorter.
   */
  readonly contextLength?: number | undefined;
  /** Maximum number of chunks, from 1. Default: all chunks of the text. */
  readonly chunks?: number | undefined;
  /**
   * Distance of chunk starts, for overlapping chunks: llama-perplexity's `--ppl-stride`. The last `stride`
   * tokens of each chunk are scored, so nearly all of the text is. Chunks are then `contextLength` and half
   * the stride long, and only the first begins with BOS. Default: chunks do not overlap, and the second half
   * of each is scored.
   */
  readonly stride?: number | undefined;
  /** Called after every chunk with the result so far. */
  readonly onProgress?: ((soFar: PerplexityResult, totalChunks: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof PerplexityOptions, true> = {
  contextLength: true,
  chunks: true,
  stride: true,
  onProgress: true,
  signal: true,
};

/** The perplexity of a text, or of its chunks so far. */
export interface PerplexityResult {
  /** e to the mean of −ln p over the scored tokens. */
  readonly perplexity: number;
  /** One standard error of `perplexity`. Undefined for fewer than two scored tokens. */
  readonly uncertainty: number | undefined;
  /** Σ −ln p. */
  readonly negativeLogLikelihood: number;
  /** Number of scored tokens. */
  readonly tokens: number;
  /** Number of evaluated chunks. */
  readonly chunks: number;
  /** Tokens per chunk. */
  readonly chunkTokens: number;
}

/** llama-perplexity's default, and so the basis of most published values. */
export const defaultChunkTokens = 512;
/** The shortest chunk whose second half has a token to score. */
const leastContextLength = 3;

/**
 * Perplexity of a text, as llama-perplexity defines it. The text is tokenized once, with BOS if the model
 * wants it, and cut into chunks of `contextLength` tokens. Each chunk is evaluated alone, with BOS in place
 * of its first token if the model wants it. Tokens after positions contextLength / 2 … contextLength − 2 are
 * scored: at least half a chunk precedes them. An incomplete last chunk is skipped.
 *
 * The arithmetic on logits is f64 in a fixed order (docs/NUMERICS.md): every runtime gives the same number.
 *
 * @example
 * const { perplexity: value, uncertainty } = await perplexity(model, text, { contextLength: 128 });
 * @throws BitNetError INVALID_ARGUMENT for options out of range and a text of fewer than two chunks; the
 *   errors of `evaluate`; rejects with `signal.reason`.
 */
export async function perplexity(
  model: LanguageModel,
  text: string,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  refuseUnknownOptions("perplexity", options, Object.keys(knownOptions));
  const { engine, tokenizer } = internalsOf(model);
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const window = planWindow(options, model.info.contextLength);
  const ids = encodeOpenText(tokenizer, text);
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
  checkWhole("contextLength", contextLength, leastContextLength, max);
  if (options.chunks !== undefined) checkWhole("chunks", options.chunks, 1);
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
