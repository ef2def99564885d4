import { BitNetError } from "../../errors.js";
import { generate } from "../../generation/generate.js";
import { resolveGenerateOptions } from "../../generation/resolve-options.js";
import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import type { InnerSession } from "../../engine/session.js";
import { logLikelihoods } from "./log-likelihood.js";

/**
 * Evaluates one prompt after another in one session. The common beginning of neighbouring prompts, such as
 * examples, is evaluated once. That changes no bit of a result (docs/NUMERICS.md).
 */
export interface PromptSession extends Disposable {
  /** Σ ln p over each list of tokens, after the context. The lists differ in their last tokens only. */
  likelihoods(
    context: readonly number[],
    continuations: readonly (readonly number[])[],
    signal: AbortSignal | undefined,
  ): Promise<readonly number[]>;
  /** The model's greedy text after a prompt. */
  write(
    prompt: readonly number[],
    options: {
      readonly maxTokens: number;
      readonly stop: readonly string[];
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<string>;
}

/** A smaller cache would not be noticeably cheaper. */
const minContextLength = 256;

export function createPromptSession(model: LanguageModel): PromptSession {
  const { info } = model;
  const { engine, tokenizer } = internalsOf(model);
  let session: InnerSession | undefined;
  /** The tokens that the session holds. */
  let held: readonly number[] = [];

  /** A session with room for this many tokens. A cache of the whole context could take gigabytes. */
  function sessionFor(tokens: number): InnerSession {
    if (session !== undefined && session.contextLength >= tokens) return session;
    if (tokens > info.contextLength) {
      throw new BitNetError(
        "CONTEXT_FULL",
        `A prompt needs ${tokens} tokens and the model's context holds ${info.contextLength}`,
        { details: { tokens, contextLength: info.contextLength } },
      );
    }
    session?.dispose();
    held = [];
    let contextLength = minContextLength;
    while (contextLength < tokens) contextLength *= 2;
    session = engine.openSession(Math.min(contextLength, info.contextLength));
    return session;
  }

  /**
   * Returns to the common beginning of `ids` and the held tokens, at most `max` of them.
   * @returns its length
   */
  function keepPrefix(from: InnerSession, ids: readonly number[], max: number): number {
    let kept = 0;
    while (kept < max && kept < held.length && ids[kept] === held[kept]) kept += 1;
    from.truncate(kept);
    // If the evaluation fails, this much is still there.
    held = ids.slice(0, kept);
    return kept;
  }

  return {
    async likelihoods(context, continuations, signal): Promise<readonly number[]> {
      const shared = continuations[0]?.slice(0, -1) ?? [];
      const ids = [...context, ...shared];
      const inner = sessionFor(ids.length);
      // The context's last token predicts the continuation's first.
      const kept = keepPrefix(inner, ids, context.length - 1);
      const scorer = { session: inner, vocabSize: tokenizer.vocabSize };
      const lists = await logLikelihoods(scorer, ids.slice(kept), continuations, signal);
      held = ids;
      return lists.map((values) => values.reduce((sum, value) => sum + value, 0));
    },
    async write(prompt, { maxTokens, stop, signal }): Promise<string> {
      // The last written token is never evaluated.
      const inner = sessionFor(prompt.length + maxTokens - 1);
      const kept = keepPrefix(inner, prompt, prompt.length - 1);
      const options = resolveGenerateOptions({ temperature: 0, maxTokens, stop, signal });
      let text = "";
      for await (const piece of generate(inner, tokenizer, prompt.slice(kept), options)) text += piece.text;
      held = prompt;
      return text;
    },
    [Symbol.dispose](): void {
      session?.dispose();
      session = undefined;
    },
  };
}
