import { abortReason, BitNetError } from "../errors.js";
import type { LogitsNeed } from "../model/screening.js";
import type { InnerSession } from "../model/session.js";
import { createTextStream } from "../text/text-stream.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { FinishReason, GeneratePiece } from "./generate-piece.js";
import { createSampler } from "./sampler.js";
import type { ResolvedGenerateOptions } from "./sampling-options.js";
import { createStopMatcher } from "./stop-rules.js";

/**
 * Writes on from a prompt, one piece per token.
 *
 * The last piece says why the text ended. Where the context is full before that, CONTEXT_FULL is thrown if `maxTokens` asked
 * for more; without `maxTokens` the text ends there with "length". When the signal fires, a piece with "abort" comes last, and
 * then `signal.reason` is thrown.
 *
 * @param session empty, or holding the tokens before the prompt; it holds the prompt and the text afterwards.
 * @param prompt token ids, at least one.
 */
export async function* generate(
  session: InnerSession,
  tokenizer: Tokenizer,
  prompt: readonly number[],
  options: ResolvedGenerateOptions,
): AsyncGenerator<GeneratePiece, void, void> {
  const { signal, maxTokens } = options;
  const sampler = createSampler(options, options.seed);
  const stream = createTextStream(tokenizer, { continuesText: true });
  const stops = createStopMatcher(options.stop);
  const history = [...prompt];
  let generatedTokens = 0;
  const finish = (finishReason: FinishReason): Pick<GeneratePiece, "finishReason" | "usage"> => ({
    finishReason,
    usage: { promptTokens: prompt.length, generatedTokens },
  });

  let next = prompt;
  for (;;) {
    let tokenId: number;
    let logprob: number | undefined;
    try {
      const need = logitsNeed(options, history, tokenizer.vocabSize);
      const logits = await session.evaluateInPlace(next, need, signal);
      // Some heads are padded to a round number of rows: what lies past the vocabulary is no token.
      ({ tokenId, logprob } = sampler.sample(logits.subarray(0, tokenizer.vocabSize), history));
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      yield { text: stops.flush(), tokenId: history.at(-1) ?? 0, ...finish("abort") };
      throw abortReason(signal);
    }
    generatedTokens += 1;
    history.push(tokenId);
    const token = { tokenId, ...(logprob !== undefined && { logprob }) };
    if (tokenizer.endOfGenerationIds.has(tokenId)) {
      yield { text: ended(stops.push(stream.flush()), stops.flush()), ...token, ...finish("stop") };
      return;
    }
    const { text, stopped } = stops.push(stream.push(tokenId));
    if (stopped) {
      yield { text, ...token, ...finish("stop") };
      return;
    }
    const full = session.position === session.contextLength;
    if (generatedTokens >= maxTokens || (full && maxTokens === Infinity)) {
      yield { text: text + ended(stops.push(stream.flush()), stops.flush()), ...token, ...finish("length") };
      return;
    }
    if (full) {
      yield { text: text + ended(stops.push(stream.flush()), stops.flush()), ...token };
      throw new BitNetError(
        "CONTEXT_FULL",
        `The context of ${session.contextLength} tokens is full after ${generatedTokens} of ${maxTokens} tokens: ` +
          "ask for fewer, shorten the prompt, or load the model with a longer context where it has one",
        { details: { contextLength: session.contextLength, promptTokens: prompt.length, generatedTokens } },
      );
    }
    yield { text, ...token };
    next = [tokenId];
  }
}

/** What was held back, once nothing more can come. */
function ended(last: { readonly text: string; readonly stopped: boolean }, held: string): string {
  return last.text + held;
}

/**
 * Which logits decide the next token. Greedy decoding looks at the largest, top-k at the k largest, and neither needs the
 * rest; penalties and biases change single logits, which must then be known. Log-probabilities, and sampling from all
 * tokens, need all.
 */
function logitsNeed(
  options: ResolvedGenerateOptions,
  history: readonly number[],
  vocabSize: number,
): LogitsNeed {
  const { temperature, topK, logprobs, logitBias, repeatLastN } = options;
  const count = temperature === 0 ? 1 : topK;
  if (logprobs || count === 0) return "all";
  const { repeatPenalty, presencePenalty, frequencyPenalty } = options;
  const penalized = repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
  const recent =
    !penalized || repeatLastN === 0 ? [] : repeatLastN < 0 ? history : history.slice(-repeatLastN);
  // A changed logit may leave the largest: as many more must be known.
  const changed = new Set([...recent, ...logitBias.keys()]);
  return { count: count + changed.size, always: changed, below: vocabSize };
}
