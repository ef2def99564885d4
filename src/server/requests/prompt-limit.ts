import { BitNetError } from "../../errors.js";
import type { ModelInfo } from "../../language-model/model-info.js";
import type { Tokenizer } from "../../text/tokenizer.js";

/** A text of this length is tokenized in no time, so it needs no check. */
const shortLength = 10_000;

/**
 * Refuses texts that cannot fit the context even if every token were the vocabulary's longest. It spares the
 * work of rendering and tokenizing megabytes.
 *
 * @returns a check of a request's texts. It throws BitNetError CONTEXT_FULL.
 */
export function createPromptLimit(tokenizer: Tokenizer, info: ModelInfo): (texts: readonly string[]) => void {
  let maxCharacters: number | undefined;
  function countMaxCharacters(): number {
    let longest = 1;
    for (let id = 0; id < tokenizer.vocabSize; id += 1) {
      longest = Math.max(longest, tokenizer.tokenBytes(id, { skipSpecial: false }).length);
    }
    return info.contextLength * longest;
  }
  return (texts) => {
    // A chat template writes at least one token for each message.
    if (texts.length > info.contextLength) {
      throw new BitNetError(
        "CONTEXT_FULL",
        `The prompt has ${texts.length} messages, and the context holds ${info.contextLength} tokens: shorten the prompt`,
        { details: { messages: texts.length, contextLength: info.contextLength } },
      );
    }
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    if (characters <= shortLength) return;
    maxCharacters ??= countMaxCharacters();
    if (characters <= maxCharacters) return;
    throw new BitNetError(
      "CONTEXT_FULL",
      `The prompt has ${characters} characters, and the context of ${info.contextLength} tokens cannot hold more than ${maxCharacters}: shorten the prompt`,
      { details: { characters, contextLength: info.contextLength } },
    );
  };
}
