import { BitNetError } from "../errors.js";
import type { Logits, LogitsNeed } from "../engine/screening.js";
import { createTextStream } from "../text/text-stream.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { FinishReason, GeneratedPiece } from "./generated-piece.js";
import { createSampler } from "./sampling/sampler.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createStopMatcher } from "./stop-rules.js";

/** Turns logits into a text, token by token: sampling, spelling, and the rules by which a text ends. Runs no model. */
export interface TextWriter {
  /** The tokens so far: prompt and text. */
  readonly history: readonly number[];
  /** Tokens that may still be written; Infinity where the context alone is the limit. */
  readonly remaining: number;
  /** Which logits decide the next token, and those that would come next if it and its followers were `draft`. */
  needs(draft: readonly number[]): readonly LogitsNeed[];
  /**
   * Writes the next token.
   * @param logits what follows the history; rows past the vocabulary are left out.
   * @param full whether the context holds no further token.
   */
  write(logits: Logits, full: boolean): Written;
  /** The last piece of a text whose signal has fired. */
  abort(): GeneratedPiece;
  /** What is thrown after a piece at which the context is "full". */
  contextFull(contextLength: number): BitNetError;
}

export interface Written {
  readonly piece: GeneratedPiece;
  /** "ended" with this piece, or the context is "full" although more was asked for. */
  readonly then: "more" | "ended" | "full";
}

/** @param prompt token ids, at least one. */
export function createTextWriter(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  options: ResolvedGenerateOptions,
): TextWriter {
  const { maxTokens } = options;
  const { vocabSize } = tokenizer;
  const sampler = createSampler(options, options.seed);
  const stream = createTextStream(tokenizer, { continuesText: true });
  const stops = createStopMatcher(options.stop);
  const guide = options.grammar?.start(tokenizer);
  const history = [...prompt];
  let generatedTokens = 0;

  const finish = (finishReason: FinishReason): Pick<GeneratedPiece, "finishReason" | "usage"> => ({
    finishReason,
    usage: { promptTokens: prompt.length, generatedTokens },
  });
  /** What was held back, once nothing more can come. */
  const rest = (): string => stops.push(stream.flush()).text + stops.flush();

  return {
    history,
    get remaining() {
      return maxTokens - generatedTokens;
    },
    needs(draft): readonly LogitsNeed[] {
      const needs = [logitsNeed(options, history, vocabSize)];
      for (const id of draft) {
        history.push(id);
        needs.push(logitsNeed(options, history, vocabSize));
      }
      history.length -= draft.length;
      return needs;
    },
    write(logits, full): Written {
      // Some heads are padded to a round number of rows: what lies past the vocabulary is no token.
      const { tokenId, logprob, topLogprobs } = sampler.sample(
        logits.values.subarray(0, vocabSize),
        history,
        logits.among,
        guide,
      );
      generatedTokens += 1;
      history.push(tokenId);
      const token = {
        tokenId,
        ...(logprob !== undefined && { logprob }),
        ...(topLogprobs !== undefined && { topLogprobs }),
      };
      if (tokenizer.endOfGenerationIds.has(tokenId))
        return { piece: { text: rest(), ...token, ...finish("stop") }, then: "ended" };
      const { text, stopped } = stops.push(stream.push(tokenId));
      if (stopped) return { piece: { text, ...token, ...finish("stop") }, then: "ended" };
      // The model need not say that it has ended where nothing can follow.
      if (guide?.accept(tokenId) === true)
        return { piece: { text: text + rest(), ...token, ...finish("stop") }, then: "ended" };
      if (generatedTokens >= maxTokens || (full && maxTokens === Infinity))
        return { piece: { text: text + rest(), ...token, ...finish("length") }, then: "ended" };
      if (full) return { piece: { text: text + rest(), ...token }, then: "full" };
      return { piece: { text, ...token }, then: "more" };
    },
    abort: () => ({ text: stops.flush(), tokenId: history.at(-1) ?? 0, ...finish("abort") }),
    contextFull: (contextLength) =>
      new BitNetError(
        "CONTEXT_FULL",
        `The context of ${contextLength} tokens is full after ${generatedTokens} of ${maxTokens} tokens: ` +
          "ask for fewer, shorten the prompt, or load the model with a longer context where it has one",
        { details: { contextLength, promptTokens: prompt.length, generatedTokens } },
      ),
  };
}

/**
 * Which logits decide the next token. Greedy decoding looks at the largest, top-k at the k largest, and neither needs the
 * rest; penalties and biases change single logits, which must then be known. Log-probabilities, grammars, and sampling from
 * all tokens need all.
 */
function logitsNeed(
  options: ResolvedGenerateOptions,
  history: readonly number[],
  vocabSize: number,
): LogitsNeed {
  const { temperature, topK, logprobs, logitBias, repeatLastN, grammar } = options;
  const count = temperature === 0 ? 1 : topK;
  // Which tokens a grammar lets through has nothing to do with how likely they are.
  if (logprobs || count === 0 || grammar !== undefined) return "all";
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options;
  const penalized = repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  const recent =
    !penalized || repeatLastN === 0 ? [] : repeatLastN < 0 ? history : history.slice(-repeatLastN);
  // A changed logit may leave the largest: as many more must be known.
  const changed = new Set([...recent, ...logitBias.keys()]);
  return { count: count + changed.size, always: changed, below: vocabSize };
}
