import { BitNetError } from "../errors.js";
import type { InnerLanguageModel } from "../language-model.js";

/** Texts that are tokenized in no time, so that it is not worth knowing whether they can fit. */
const shortText = 10_000;

/**
 * Refuses texts that cannot fit the context even if they were made of the vocabulary's longest token. Tokenizing megabytes
 * takes seconds, in which nobody else is answered.
 *
 * @returns a check of a request's texts. @throws BitNetError CONTEXT_FULL.
 */
export function createPromptLimit({
  tokenizer,
  info,
}: InnerLanguageModel): (texts: readonly string[]) => void {
  let most: number | undefined;
  function mostCharacters(): number {
    let longest = 1;
    for (let id = 0; id < tokenizer.vocabSize; id += 1) {
      longest = Math.max(longest, tokenizer.tokenBytes(id, { skipSpecial: false }).length);
    }
    return info.contextLength * longest;
  }
  return (texts) => {
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    if (characters <= shortText) return;
    most ??= mostCharacters();
    if (characters <= most) return;
    throw new BitNetError(
      "CONTEXT_FULL",
      `The prompt has ${characters} characters, and the context of ${info.contextLength} tokens cannot hold more than ${most}: shorten the prompt`,
      { details: { characters, contextLength: info.contextLength } },
    );
  };
}
