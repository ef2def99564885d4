import type { Tokenizer } from "./tokenizer.js";

/** Turns token ids into text as soon as the text is certain. */
export interface TextStream {
  /** @returns the text that is certain now. It is empty while a character's bytes are incomplete. */
  push(id: number): string;
  /** Ends the text. @returns U+FFFD for an incomplete character, or nothing. */
  flush(): string;
}

export interface TextStreamOptions {
  /** Omit control tokens. Default: true; false spells them. */
  readonly skipSpecial?: boolean | undefined;
  /** Control tokens that are spelled although `skipSpecial` omits the others. Default: none. */
  readonly shown?: ReadonlySet<number> | undefined;
  /**
   * Whether the ids continue a text, such as a prompt. SentencePiece tokenizers add a space before a text.
   * The stream drops it again only at a text's beginning. Default: false.
   */
  readonly continuesText?: boolean | undefined;
}

/** @returns a stream. All its texts together are what `decode` gives for all ids at once. */
export function createTextStream(tokenizer: Tokenizer, options: TextStreamOptions = {}): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const { skipSpecial = true, shown } = options;
  let dropsSpace = tokenizer.dropsFirstSpace && options.continuesText !== true;
  return {
    push(id: number): string {
      let bytes = tokenizer.tokenBytes(id, { skipSpecial: skipSpecial && shown?.has(id) !== true });
      if (bytes.length > 0 && dropsSpace) {
        dropsSpace = false;
        if (bytes[0] === 0x20) bytes = bytes.subarray(1);
      }
      return decoder.decode(bytes, { stream: true });
    },
    flush: () => decoder.decode(),
  };
}
