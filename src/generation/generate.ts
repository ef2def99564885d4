import { abortReason } from "../errors.js";
import type { InnerSession } from "../engine/session.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { createGenerationLoop } from "./generation-loop.js";
import type { GeneratedPiece } from "./generated-piece.js";
import { createPassCosts, type PassCosts } from "./speculation/pass-costs.js";
import type { ResolvedGenerateOptions } from "./resolve-options.js";
import { createTextWriter, type Written } from "./text-writer.js";

/**
 * Writes on from a prompt, one piece per token.
 *
 * The last piece says why the text ended. Where the context is full before that, CONTEXT_FULL is thrown if `maxTokens` asked
 * for more; without `maxTokens` the text ends there with "length". When the signal fires, a piece with "abort" comes last, and
 * then `signal.reason` is thrown.
 *
 * @param session empty, or holding the tokens before the prompt; it holds the prompt and the text afterwards.
 * @param prompt token ids, at least one.
 * @param costs what passes of the model have cost so far, for speculation; to be kept with the model.
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
        yield writer.abort();
        throw abortReason(signal);
      }
      yield written.piece;
      if (written.then === "ended") return;
      if (written.then === "full") throw writer.contextFull(session.contextLength);
    }
  } finally {
    loop.report();
  }
}
