import { BitNetError } from "../errors.js";
import type { Logits, LogitsNeed } from "../engine/screening.js";
import type { AnswerPart, ThoughtPhase } from "../text/thought-reader.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { type AnswerGuide, createAnswerGuide } from "./answer-guide.js";
import { createAnswerReader } from "./answer-reader.js";
import type { FinishReason, GeneratedPiece } from "./generated-piece.js";
import { checkBiases } from "./sampling/check-biases.js";
import { createSampler } from "./sampling/sampler.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";

/**
 * Turns logits into a text, token by token: samples, reads the text, and ends it. Does not run the model.
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
  /** The last pieces of an aborted text. */
  abort(): readonly GeneratedPiece[];
  /** The error after a piece at which the context is "full". */
  contextFull(contextLength: number): BitNetError;
}

export interface Written {
  readonly tokenId: number;
  readonly pieces: readonly GeneratedPiece[];
  /** "ended": these are the last pieces. "full": the context is full before `maxTokens`. */
  readonly then: "more" | "ended" | "full";
}

/** @param prompt token ids, at least one. */
export function createTextWriter(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  options: ResolvedGenerateOptions,
): TextWriter {
  const { maxTokens, maxThinkingTokens, grammar, thoughts } = options;
  const { vocabSize } = tokenizer;
  checkBiases(options.logitBias, vocabSize);
  const sampler = createSampler(options, options.seed);
  const reader = createAnswerReader(tokenizer, options);
  const guide: AnswerGuide | undefined =
    thoughts === undefined
      ? grammar?.start(tokenizer)
      : grammar && createAnswerGuide(grammar, tokenizer, thoughts);
  const endsAnswer = options.createWatcher?.();
  const history = [...prompt];
  let generatedTokens = 0;
  /** Tokens up to the end of the thought. */
  let thinkingTokens = 0;
  /** Tokens inside of the thought. */
  let thoughtLength = 0;
  /** Text of the answer that came with the last token of the thought. */
  let carried = "";
  /** Tokens that are written next, whatever the logits are. */
  let forced: readonly number[] = [];
  if (reader.phase === "thinking" && maxThinkingTokens === 0) endThought();

  /** The model's own end of a thought has the same white space around it. */
  function endThought(): void {
    const end = `\n${thoughts?.tags.end ?? ""}\n\n`;
    forced = tokenizer.encode(end, { addSpecial: false, parseSpecial: true });
  }

  const finish = (finishReason: FinishReason): PieceEnd => ({
    finishReason,
    usage: {
      promptTokens: prompt.length,
      generatedTokens,
      ...(thoughts !== undefined && { thinkingTokens }),
    },
  });

  /** The piece of a token. At the end, a token of both the thought and the answer needs two. */
  function piecesOf(
    { thought, answer }: AnswerPart,
    token: Omit<GeneratedPiece, "text" | "thinking">,
    end?: PieceEnd,
  ): readonly GeneratedPiece[] {
    const text = carried + answer;
    carried = "";
    const isThought = thought !== "" || (text === "" && reader.inThought);
    if (!isThought) return [{ text, ...token, ...end }];
    const piece = { text: thought, ...token, thinking: true } as const;
    if (text === "") return [{ ...piece, ...end }];
    if (end !== undefined) return [piece, { text, tokenId: token.tokenId, ...end }];
    carried = text;
    return [piece];
  }

  /** Counts a token of the thought. */
  function count(before: ThoughtPhase): void {
    if (reader.inThought) thinkingTokens = generatedTokens;
    if (reader.phase !== "thinking") return;
    if (before === "thinking") thoughtLength += 1;
    if (thoughtLength >= maxThinkingTokens && forced.length === 0) endThought();
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
      const values = logits.values.subarray(0, vocabSize);
      const [next] = forced;
      const { tokenId, logprob, topLogprobs } =
        next === undefined
          ? sampler.sample(values, history, logits.among, guide)
          : sampler.take(next, values);
      forced = forced.slice(1);
      generatedTokens += 1;
      history.push(tokenId);
      const token = {
        tokenId,
        ...(logprob !== undefined && { logprob }),
        ...(topLogprobs !== undefined && { topLogprobs }),
      };
      const ended = (part: AnswerPart, reason: FinishReason): Written => ({
        tokenId,
        pieces: piecesOf(part, token, finish(reason)),
        then: "ended",
      });
      if (tokenizer.endOfGenerationIds.has(tokenId)) return ended(reader.flush(), "stop");
      const { phase } = reader;
      const { stopped, ...part } = reader.push(tokenId);
      count(phase);
      if (stopped || endsAnswer?.(part.answer) === true) return ended(part, "stop");
      const whole = (): AnswerPart => join(part, reader.flush());
      // The white space that is forced after a thought is no part of the grammar's text.
      const isGuided = next === undefined || phase === "thinking";
      // The grammar allows no further token.
      if (isGuided && guide?.accept(tokenId, reader.phase) === true) return ended(whole(), "stop");
      if (generatedTokens >= maxTokens || (isFull && maxTokens === Infinity)) return ended(whole(), "length");
      if (isFull) return { tokenId, pieces: piecesOf(whole(), token, {}), then: "full" };
      return { tokenId, pieces: piecesOf(part, token), then: "more" };
    },
    abort: () => piecesOf(reader.abort(), { tokenId: history.at(-1) ?? 0 }, finish("abort")),
    contextFull: (contextLength) =>
      new BitNetError(
        "CONTEXT_FULL",
        `The context of ${contextLength} tokens is full after ${generatedTokens} of ${maxTokens} tokens: ` +
          "ask for fewer, shorten the prompt, or load the model with a longer context if it has one",
        { details: { contextLength, promptTokens: prompt.length, generatedTokens } },
      ),
  };
}

type PieceEnd = Pick<GeneratedPiece, "finishReason" | "usage">;

function join(first: AnswerPart, last: AnswerPart): AnswerPart {
  return { thought: first.thought + last.thought, answer: first.answer + last.answer };
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
