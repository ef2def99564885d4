import { BitNetError } from "../errors.js";
import type { PreTokenizer } from "./pre-tokenizers.js";
import { lettersOfBytes } from "./token-bytes.js";
import { unicodeExpression, withUnicode16 } from "./unicode-letters.js";

/** Cuts text into the words that are encoded one by one. */
export type WordSplitter = (text: string) => readonly string[];

/** What SentencePiece writes for a space. */
export const SPACE_MARK = "▁";

/** Words of a byte-level vocabulary: each expression isolates its matches inside the pieces of the one before. */
export function createByteWordSplitter(preTokenizer: PreTokenizer): WordSplitter {
  const expressions = preTokenizer.splits.map(unicodeExpression);
  return (text) => {
    try {
      const seen = withUnicode16(text);
      const words = expressions.reduce<readonly string[]>(
        (pieces, expression) => {
          const cut: string[] = [];
          for (const piece of pieces) isolate(piece, expression, cut);
          return cut;
        },
        text === "" ? [] : [seen],
      );
      if (seen === text) return words;
      let end = 0;
      return words.map((word) => text.slice(end, (end += word.length)));
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

/** The matches in a piece, and what is between them. */
function isolate(piece: string, expression: RegExp, cut: string[]): void {
  let end = 0;
  expression.lastIndex = 0;
  for (let match = expression.exec(piece); match !== null; match = expression.exec(piece)) {
    const [word] = match;
    if (match.index > end) cut.push(piece.slice(end, match.index));
    cut.push(word);
    end = match.index + word.length;
  }
  if (end < piece.length) cut.push(piece.slice(end));
}

/** @returns a function that spells the UTF-8 bytes of a word as a byte-level vocabulary does: GPT-2's letters. */
export function createByteSpeller(): (word: string) => string {
  const letters = lettersOfBytes();
  const encoder = new TextEncoder();
  return (word) => {
    let spelled = "";
    for (const byte of encoder.encode(word)) spelled += letters[byte] ?? "";
    return spelled;
  };
}

/**
 * Words of a SentencePiece vocabulary whose spaces are marks already. SentencePiece merges over the whole text at once. A cut
 * before a mark gives the same ids, and much sooner, unless a token has the mark and the character before it.
 *
 * @param tokens Texts that merges make.
 */
export function createCharacterWordSplitter(tokens: Iterable<string>): WordSplitter {
  const joined = new Set<string>();
  for (const token of tokens) {
    for (const [pair] of token.matchAll(/[^▁](?=▁)/gu)) joined.add(pair);
  }
  return (text) => {
    const words: string[] = [];
    let begin = 0;
    for (let at = text.indexOf(SPACE_MARK, 1); at !== -1; at = text.indexOf(SPACE_MARK, at + 1)) {
      if (text[at - 1] === SPACE_MARK || joined.has(characterBefore(text, at))) continue;
      words.push(text.slice(begin, at));
      begin = at;
    }
    if (begin < text.length) words.push(text.slice(begin));
    return words;
  };
}

/** Words that each begin with a mark, as Hugging Face's Metaspace cuts them. No word has a second one. */
export function splitAtMarks(text: string): readonly string[] {
  return text.match(/▁[^▁]*|[^▁]+/g) ?? [];
}

function characterBefore(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  return text.slice(unit >= 0xdc00 && unit <= 0xdfff ? end - 2 : end - 1, end);
}
