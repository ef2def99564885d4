import type { Tokenizer } from "./tokenizer.js";

/** Token ids in, text out, as soon as it is certain. */
export interface TextStream {
  /** @returns the text that is certain now; empty while a character's bytes are incomplete. */
  push(id: number): string;
  /** Ends the text. @returns U+FFFD for a character left incomplete, or nothing. */
  flush(): string;
}

export interface TextStreamOptions {
  /** Leave control tokens out. Default true; false spells them. */
  readonly skipSpecial?: boolean | undefined;
  /**
   * The ids continue a text, such as a prompt. SentencePiece tokenizers add a space before a text, and only where a
   * text begins is it dropped again. Default false.
   */
  readonly continuesText?: boolean | undefined;
}

/** @returns a stream whose pushes and flush together are what `decode` gives for all ids at once. */
export function createTextStream(tokenizer: Tokenizer, options: TextStreamOptions = {}): TextStream {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const decodeOptions = { skipSpecial: options.skipSpecial ?? true };
  let dropsSpace = tokenizer.dropsFirstSpace && options.continuesText !== true;
  return {
    push(id: number): string {
      let bytes = tokenizer.tokenBytes(id, decodeOptions);
      if (bytes.length > 0 && dropsSpace) {
        dropsSpace = false;
        if (bytes[0] === 0x20) bytes = bytes.subarray(1);
      }
      return decoder.decode(bytes, { stream: true });
    },
    flush: () => decoder.decode(),
  };
}
