import { BitNetError } from "../errors.js";
import type { PreTokenizer } from "./pre-tokenizers.js";
import { ByteLevelPreTokenizer, SplitPreTokenizer } from "./tokenizers-library.js";

/** Cuts text into the words that are encoded one by one, spelt as the vocabulary spells them. */
export type WordSplitter = (text: string) => readonly string[];

/** What SentencePiece writes for a space. */
export const SPACE_MARK = "▁";

/** Words of a byte-level vocabulary: cut by the splitter's expressions, each UTF-8 byte as one letter. */
export function createByteWordSplitter(preTokenizer: PreTokenizer): WordSplitter {
  const splits = preTokenizer.splits.map(
    (expression) =>
      new SplitPreTokenizer({
        type: "Split",
        pattern: { Regex: expression },
        behavior: "Isolated",
        invert: false,
      }),
  );
  const byteLevel = new ByteLevelPreTokenizer({
    type: "ByteLevel",
    add_prefix_space: false,
    use_regex: false,
  });
  return (text) => {
    try {
      const words = splits.reduce<string[]>((pieces, split) => split.pre_tokenize(pieces), [text]);
      return byteLevel.pre_tokenize(words);
    } catch (error) {
      // Regular expressions in V8 run out of their own stack on about ten million emoji without a break.
      if (!(error instanceof RangeError)) throw error;
      throw new BitNetError(
        "INVALID_ARGUMENT",
        "Cannot encode the text: it has an unbroken run too long to split",
        {
          cause: error,
        },
      );
    }
  };
}

/**
 * Words of a SentencePiece vocabulary. SentencePiece merges over the whole text at once; cutting before a space mark
 * gives the same ids, and much sooner, where no token reaches over such a place, and then only.
 */
export function createCharacterWordSplitter(tokens: Iterable<string>): WordSplitter {
  const reachesOver = /[^▁]▁/;
  for (const token of tokens) {
    if (reachesOver.test(token)) return (text) => [text.replaceAll(" ", SPACE_MARK)];
  }
  return (text) =>
    text
      .replaceAll(" ", SPACE_MARK)
      .match(/▁*[^▁]*/g)
      ?.filter((word) => word !== "") ?? [];
}
