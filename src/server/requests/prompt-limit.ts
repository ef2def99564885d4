import { BitNetError } from "../../errors.js";
import type { ModelInfo } from "../../language-model/model-info.js";
import type { Tokenizer } from "../../text/tokenizer.js";

/** A text of this length is tokenized in no time, so it needs no check. */
const shortLength = 10_000;

/**
 * Finds texts that cannot fit the context even if every token were the vocabulary's longest. It spares the
 * work of rendering and tokenizing megabytes.
 */
export interface PromptLimit {
  /** Checks a request's texts together. @throws BitNetError CONTEXT_FULL. */
  check(texts: readonly string[]): void;
  /** Cuts a text to the characters that can fit. */
  cut(text: string): string;
}

export function createPromptLimit(tokenizer: Tokenizer, info: ModelInfo): PromptLimit {
  let counted: number | undefined;
  const maxCharacters = (): number => (counted ??= countMaxCharacters());
  function countMaxCharacters(): number {
    let longest = 1;
    for (let id = 0; id < tokenizer.vocabSize; id += 1) {
      longest = Math.max(longest, tokenizer.tokenBytes(id, { skipSpecial: false }).length);
    }
    return info.contextLength * longest;
  }
  function check(texts: readonly string[]): void {
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
    const max = maxCharacters();
    if (characters <= max) return;
    throw new BitNetError(
      "CONTEXT_FULL",
      `The prompt has ${characters} characters, and the context of ${info.contextLength} tokens cannot hold more than ${max}: shorten the prompt`,
      { details: { characters, contextLength: info.contextLength } },
    );
  }

  return { check, cut: (text) => (text.length <= shortLength ? text : text.slice(0, maxCharacters())) };
}
