import { BitNetError } from "../errors.js";
import type { Logits, LogitsNeed } from "../engine/screening.js";
import { createTextStream } from "../text/text-stream.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { FinishReason, GeneratedPiece } from "./generated-piece.js";
import { createSampler } from "./sampling/sampler.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createStopMatcher, type StopResult } from "./stop-rules.js";

/**
 * Turns logits into a text, token by token: samples, detokenizes, and ends the text. Does not run the model.
 */
export interface TextWriter {
  /** The tokens so far: prompt and text. */
  readonly history: readonly number[];
  /** Maximum number of tokens still to write; Infinity if only the context limits the text. */
  readonly remaining: number;
  /** The logits that decide the next token, and those after each token of `draft`. */
  needs(draft: readonly number[]): readonly LogitsNeed[];
  /**
   * Writes the next token.
   * @param logits of the token after the history. Rows past the vocabulary are ignored.
   * @param context `isFull` if the context holds no further token.
   */
  write(logits: Logits, context: { readonly isFull: boolean }): Written;
  /** The last piece of an aborted text. */
  abort(): GeneratedPiece;
  /** The error after a piece at which the context is "full". */
  contextFull(contextLength: number): BitNetError;
}

export interface Written {
  readonly piece: GeneratedPiece;
  /** "ended": this is the last piece. "full": the context is full before `maxTokens`. */
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
  const { showSpecial } = options;
  const shown = new Set(
    options.shownTokens.flatMap(tokenizer.cutControls).filter((piece) => typeof piece === "number"),
  );
  const stream = createTextStream(tokenizer, { continuesText: true, skipSpecial: !showSpecial, shown });
  const stops = createStopMatcher(options.stop, tokenizer.cutControls);
  const guide = options.grammar?.start(tokenizer);
  const history = [...prompt];
  let generatedTokens = 0;

  const finish = (finishReason: FinishReason): Pick<GeneratedPiece, "finishReason" | "usage"> => ({
    finishReason,
    usage: { promptTokens: prompt.length, generatedTokens },
  });
  /** Text held back for an incomplete character or stop string, at the end of the text. */
  const rest = (): string => stops.push(stream.flush()).text + stops.flush();

  /** The text of the next token as far as it is certain, and whether it ended a stop string. */
  function append(id: number): StopResult {
    const text = stream.push(id);
    if (showSpecial || !tokenizer.isControl(id)) return stops.push(text);
    // A shown token is text for the reader, and a token for stop strings that spell it.
    const before = stops.pushControl(id);
    const after = stops.push(text);
    return { text: before.text + after.text, stopped: after.stopped };
  }

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
    write(logits, { isFull }): Written {
      // Some output heads are padded to a round number of rows. Rows past the vocabulary are no tokens.
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
      const { text, stopped } = append(tokenId);
      if (stopped) return { piece: { text, ...token, ...finish("stop") }, then: "ended" };
      // The grammar allows no further token.
      if (guide?.accept(tokenId) === true)
        return { piece: { text: text + rest(), ...token, ...finish("stop") }, then: "ended" };
      if (generatedTokens >= maxTokens || (isFull && maxTokens === Infinity))
        return { piece: { text: text + rest(), ...token, ...finish("length") }, then: "ended" };
      if (isFull) return { piece: { text: text + rest(), ...token }, then: "full" };
      return { piece: { text, ...token }, then: "more" };
    },
    abort: () => ({ text: stops.flush(), tokenId: history.at(-1) ?? 0, ...finish("abort") }),
    contextFull: (contextLength) =>
      new BitNetError(
        "CONTEXT_FULL",
        `The context of ${contextLength} tokens is full after ${generatedTokens} of ${maxTokens} tokens: ` +
          "ask for fewer, shorten the prompt, or load the model with a longer context if it has one",
        { details: { contextLength, promptTokens: prompt.length, generatedTokens } },
      ),
  };
}

/**
 * The logits that decide the next token. Greedy decoding needs the largest, top-k the k largest. Penalties
 * and biases change single logits, so these are needed too. Log-probabilities, grammars, and sampling without
 * top-k need all.
 */
function logitsNeed(
  options: ResolvedGenerateOptions,
  history: readonly number[],
  vocabSize: number,
): LogitsNeed {
  const { temperature, topK, logprobs, logitBias, repeatLastN, grammar } = options;
  const count = temperature === 0 ? 1 : topK;
  // A grammar may allow unlikely tokens only.
  if (logprobs || count === 0 || grammar !== undefined) return "all";
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options;
  const penalized = repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  const recent =
    !penalized || repeatLastN === 0 ? [] : repeatLastN < 0 ? history : history.slice(-repeatLastN);
  // Each changed logit may drop out of the largest, so one more is needed for each.
  const changed = new Set([...recent, ...logitBias.keys()]);
  return { count: count + changed.size, always: changed, below: vocabSize };
}
