import { createLongWordMerger } from "./long-word.js";
import type { MergeTable } from "./merges.js";
import { createPairTable } from "./pair-table.js";
import type { Steps } from "./slices.js";
import { maxTokenLength } from "./vocabulary.js";

/** Turns words, as a splitter cut them, into token ids. */
export interface WordEncoder {
  /** Appends the ids of `words` to `ids`. A word of millions of letters has many steps. */
  encode(words: Iterable<string>, ids: number[]): Steps<void>;
}

export interface WordEncoderOptions {
  readonly merges: MergeTable;
  readonly vocabSize: number;
  /** A word that is a token as a whole is that token. */
  readonly ignoreMerges: boolean;
  /** How the vocabulary spells a word. Default: as it is. */
  readonly spell?: ((word: string) => string) | undefined;
  /** Gives the ids for a symbol without a token: of its UTF-8 bytes, of the unknown token, or no ids. */
  readonly fallback: (text: string) => readonly number[];
  /** long-word.ts merges words of more UTF-16 units than this. Tests vary it. Both ways give the same ids. */
  readonly longWordLength?: number | undefined;
}

/** Up to here, a search through all pairs for each merge is as fast as a heap. */
const defaultLongWordLength = 64;
/** Words of one generation. English has few more than these in a megabyte. */
const maxCachedWords = 16_384;

/** Byte-pair encoding of words, with a cache of the words that came last. */
export function createWordEncoder(options: WordEncoderOptions): WordEncoder {
  const { merges, vocabSize, ignoreMerges, fallback, longWordLength = defaultLongWordLength } = options;
  const { spell = (word: string) => word } = options;
  const pairs = createPairTable(merges);
  const longMerger = createLongWordMerger(merges, pairs);
  const symbols = new Int32Array(longWordLength === Infinity ? 4096 : longWordLength + 1);

  const append = (text: string, symbol: number | undefined, ids: number[]): void => {
    if (symbol !== undefined && symbol < vocabSize) ids.push(symbol);
    else for (const id of fallback(text)) ids.push(id);
  };

  /** Joins the pair of lowest rank, and of equal ranks the leftmost, until none is left. */
  function mergeShort(word: string, ids: number[]): void {
    const characters = Array.from(word);
    const unknown: string[] = [];
    let count = 0;
    for (const character of characters) {
      const symbol = merges.symbols.get(character);
      symbols[count] = symbol ?? -unknown.push(character);
      count += 1;
    }
    for (;;) {
      let [best, bestRank, bestAt] = [-1, Infinity, 0];
      for (let at = 0; at + 1 < count; at += 1) {
        const [left, right] = [symbols[at] ?? -1, symbols[at + 1] ?? -1];
        if (left < 0 || right < 0) continue;
        const merge = pairs(left, right);
        if (merge === -1) continue;
        const rank = merges.rank[merge] ?? 0;
        if (rank < bestRank) [best, bestRank, bestAt] = [merge, rank, at];
      }
      if (best === -1) break;
      symbols[bestAt] = merges.merged[best] ?? 0;
      symbols.copyWithin(bestAt + 1, bestAt + 2, count);
      count -= 1;
    }
    for (let at = 0; at < count; at += 1) {
      const symbol = symbols[at] ?? 0;
      if (symbol < 0) append(unknown[-symbol - 1] ?? "", undefined, ids);
      else append(merges.texts[symbol] ?? "", symbol, ids);
    }
  }

  function* encodeLong(word: string, ids: number[]): Steps<void> {
    const whole = ignoreMerges && word.length <= maxTokenLength ? merges.symbols.get(spell(word)) : undefined;
    if (whole !== undefined) ids.push(whole);
    else yield* longMerger.merge(word, spell, (text, symbol) => append(text, symbol, ids));
  }

  function* encodeShort(word: string): Steps<readonly number[]> {
    const spelled = spell(word);
    const whole = ignoreMerges ? merges.symbols.get(spelled) : undefined;
    if (whole !== undefined) return [whole];
    const ids: number[] = [];
    if (spelled.length > longWordLength) yield* encodeLong(word, ids);
    else mergeShort(spelled, ids);
    return ids;
  }

  // Two generations: a word that is used moves into the young one, and the old one is dropped as a whole. We
  // rejected a cache that moves each word it finds to its end. That took 27 s for a megabyte of one word: a
  // Map keeps deleted entries until it grows.
  let young = new Map<string, readonly number[]>();
  let old: ReadonlyMap<string, readonly number[]> = young;

  function remember(word: string, ids: readonly number[]): void {
    if (young.size >= maxCachedWords) {
      old = young;
      young = new Map();
    }
    // A part of a long text keeps the whole text in memory. This makes a text of its own.
    young.set(word.length < 13 ? word : ` ${word}`.slice(1), ids);
  }

  return {
    *encode(words, ids): Steps<void> {
      for (const word of words) {
        if (word.length > longWordLength) {
          yield* encodeLong(word, ids);
          continue;
        }
        let found = young.get(word);
        if (found === undefined) {
          found = old.get(word) ?? (yield* encodeShort(word));
          remember(word, found);
        }
        ids.push(...found);
      }
    },
  };
}
