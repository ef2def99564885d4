import { createLongWordMerger } from "./long-word.js";
import type { MergeTable } from "./merges.js";
import { BPE } from "./tokenizers-library.js";

/** Turns words, as a pre-tokenizer cut them, into token ids. */
export interface WordEncoder {
  /** Appends the ids of `words` to `ids`. */
  encode(words: readonly string[], ids: number[]): void;
}

export interface WordEncoderOptions {
  readonly merges: MergeTable;
  readonly vocabSize: number;
  /** A word that is a token as a whole is that token. */
  readonly ignoreMerges: boolean;
  /** What a symbol without a token becomes: the ids of its UTF-8 bytes, the unknown token, or nothing. */
  readonly fallback: (text: string) => readonly number[];
  /** Words of more UTF-16 units than this are merged by long-word.ts. Tests vary it; both ways give the same ids. */
  readonly longWordLength?: number | undefined;
}

/**
 * The library keeps a heap of objects and looks pairs up by a JSON string each: right for words, but a single word of a
 * million letters took it 18 s and 750 MB. 256 is also the longest word that it caches.
 */
const LONG_WORD_LENGTH = 256;

/** Byte-pair encoding of words by `@huggingface/tokenizers`, and of very long words by long-word.ts. */
export function createWordEncoder(options: WordEncoderOptions): WordEncoder {
  const { merges, vocabSize, ignoreMerges, fallback, longWordLength = LONG_WORD_LENGTH } = options;
  const model = createModel(merges);
  const merger = createLongWordMerger(merges);

  const append = (text: string, symbol: number | undefined, ids: number[]): void => {
    if (symbol !== undefined && symbol < vocabSize) ids.push(symbol);
    else for (const id of fallback(text)) ids.push(id);
  };
  return {
    encode(words: readonly string[], ids: number[]): void {
      for (const word of words) {
        const whole = ignoreMerges ? merges.symbols.get(word) : undefined;
        if (whole !== undefined) ids.push(whole);
        else if (word.length > longWordLength)
          merger.merge(word, (text, symbol) => append(text, symbol, ids));
        else for (const text of model.bpe(word)) append(text, merges.symbols.get(text), ids);
      }
    },
  };
}

/**
 * The model is made empty and given its tables, not a tokenizer.json: ranks in such a file are positions in a list and
 * cannot be equal, as SentencePiece's are; and building from lists of strings took 2.6 times as long.
 */
function createModel(merges: MergeTable): InstanceType<typeof BPE> {
  const model = new BPE({ type: "BPE", vocab: {}, merges: [] });
  const { texts, left, right, rank } = merges;
  // Backwards, so that a pair listed twice has its first rank.
  for (let index = rank.length - 1; index >= 0; index--) {
    const key = pairKey(texts[left[index] ?? 0] ?? "", texts[right[index] ?? 0] ?? "");
    model.bpe_ranks.set(key, rank[index] ?? 0);
  }
  return model;
}

/** `JSON.stringify([left, right])`, which is how the library looks pairs up, without its cost where nothing needs escaping. */
function pairKey(left: string, right: string): string {
  const escapes = NEEDS_ESCAPE.test(left) || NEEDS_ESCAPE.test(right);
  return escapes ? JSON.stringify([left, right]) : `["${left}","${right}"]`;
}

const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;
