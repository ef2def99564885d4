import { BitNetError } from "../errors.js";
import type { PreTokenizer } from "./pre-tokenizers.js";
import { partsOf } from "./slices.js";
import { lettersOfBytes, spaceMark } from "./token-spelling.js";
import { unicodeExpression, withUnicode16 } from "./unicode-letters.js";

/**
 * Cuts text into the words that are encoded one by one. They come in lists of some thousands. Empty lists
 * mark work without words.
 */
export type WordSplitter = (text: string) => Iterable<readonly string[]>;

/** Words of one list. Cutting them takes about a millisecond. */
const wordsPerList = 4096;
const charactersPerList = 1 << 15;

/**
 * Words of a byte-level vocabulary: each expression isolates its matches inside the pieces of the one before.
 */
export function createByteWordSplitter(preTokenizer: PreTokenizer): WordSplitter {
  const [first, ...others] = preTokenizer.splits.map(unicodeExpression);
  return function* (text): Generator<readonly string[]> {
    let seen = "";
    for (const part of partsOf(text, charactersPerList)) {
      seen += withUnicode16(part);
      yield [];
    }
    let end = 0;
    try {
      for (const list of first === undefined ? [[seen]] : isolated(seen, first)) {
        const words = others.reduce(
          (pieces, expression) => pieces.flatMap((piece) => [...isolated(piece, expression)].flat()),
          list,
        );
        yield seen === text ? words : words.map((word) => text.slice(end, (end += word.length)));
      }
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

/** The matches in a piece, and the text between them. */
function* isolated(piece: string, expression: RegExp): Generator<string[]> {
  let words: string[] = [];
  let end = 0;
  for (const { 0: word, index } of piece.matchAll(expression)) {
    if (index > end) words.push(piece.slice(end, index));
    words.push(word);
    end = index + word.length;
    if (words.length < wordsPerList) continue;
    yield words;
    words = [];
  }
  if (end < piece.length) words.push(piece.slice(end));
  yield words;
}

/**
 * @returns a function that spells the UTF-8 bytes of a word in GPT-2's letters, as byte-level vocabularies
 *   do.
 */
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
 * Words of a SentencePiece vocabulary whose spaces are marks already. SentencePiece merges over the whole
 * text at once. A cut before a mark gives the same ids much sooner, unless a token has the mark and the
 * character before it.
 *
 * @param tokens Texts that merges make.
 */
export function createCharacterWordSplitter(tokens: Iterable<string>): WordSplitter {
  const joined = new Set<string>();
  for (const token of tokens) {
    for (const [pair] of token.matchAll(/[^▁](?=▁)/gu)) joined.add(pair);
  }
  return function* (text): Generator<readonly string[]> {
    let words: string[] = [];
    let begin = 0;
    for (let at = text.indexOf(spaceMark, 1); at !== -1; at = text.indexOf(spaceMark, at + 1)) {
      if (text[at - 1] === spaceMark || joined.has(characterBefore(text, at))) continue;
      words.push(text.slice(begin, at));
      begin = at;
      if (words.length < wordsPerList) continue;
      yield words;
      words = [];
    }
    if (begin < text.length) words.push(text.slice(begin));
    yield words;
  };
}

/** Words that each begin with a mark, as Hugging Face's Metaspace cuts them. No word has a second one. */
export function splitAtMarks(text: string): Iterable<readonly string[]> {
  return isolated(text, /▁?[^▁]+|▁/g);
}

function characterBefore(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  return text.slice(unit >= 0xdc00 && unit <= 0xdfff ? end - 2 : end - 1, end);
}
