import { abortReason } from "../errors.js";
import type { InnerSession } from "../engine/session.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { createGenerationLoop } from "./generation-loop.js";
import type { GeneratedPiece } from "./generated-piece.js";
import { createPassCosts, type PassCosts } from "./speculation/pass-costs.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createTextWriter, type Written } from "./text-writer.js";

/**
 * Continues a prompt, one piece per token.
 *
 * The last piece has the finish reason. If the context is full before `maxTokens`, CONTEXT_FULL is thrown;
 * without `maxTokens` the text ends with "length". When the signal fires, the last piece has "abort", and
 * `signal.reason` is thrown.
 *
 * @param session empty, or with the tokens before the prompt. Afterwards it also holds the prompt and the
 *   text.
 * @param prompt token ids, at least one.
 * @param costs measured costs of the model's passes, for speculation. Keep them with the model.
 */
export async function* generate(
  session: InnerSession,
  tokenizer: Tokenizer,
  prompt: readonly number[],
  options: ResolvedGenerateOptions,
  costs: PassCosts = createPassCosts(),
): AsyncGenerator<GeneratedPiece, void, void> {
  const { signal } = options;
  const writer = createTextWriter(tokenizer, prompt, options);
  const loop = createGenerationLoop(session, writer, options, costs);
  try {
    for (;;) {
      let written: Written;
      try {
        written = await loop.next();
      } catch (error) {
        if (signal?.aborted !== true) throw error;
        yield* writer.abort();
        throw abortReason(signal);
      }
      yield* written.pieces;
      if (written.then === "ended") return;
      if (written.then === "full") throw writer.contextFull(session.contextLength);
    }
  } finally {
    loop.report();
  }
}
