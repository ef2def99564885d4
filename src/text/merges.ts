import { BitNetError } from "../errors.js";
import { createTokenIndex } from "./token-index.js";
import { tokenTypes, type Vocabulary } from "./vocabulary.js";
import { spaceMark } from "./token-spelling.js";

/**
 * The pairs of neighbouring symbols that may be joined, and their order. The pair of lowest rank in a word is
 * joined first. Of equal ranks the leftmost is joined first.
 *
 * A symbol is a token's id. A character that only occurs inside longer tokens has an id from `vocabSize` up.
 */
export interface MergeTable {
  /** The symbol of a text: every token that text may become, and such single characters. */
  readonly symbols: ReadonlyMap<string, number>;
  /** The text of a symbol. */
  readonly texts: readonly string[];
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** The token that the two become. */
  readonly merged: Int32Array;
  readonly rank: Int32Array;
}

/**
 * Whether text may become this token. Text never becomes a control or unknown token, so a user's text cannot
 * spell one. SentencePiece keeps byte tokens out of its merges in the same way. Hugging Face's tokenizers
 * keep added tokens out, unless their model's vocabulary has them as well.
 */
function comesFromText({ types, settings }: Vocabulary, id: number): boolean {
  const type = types[id];
  if (type === tokenTypes.userDefined) return !settings.exact || settings.merged.has(id);
  return type === tokenTypes.normal || type === tokenTypes.unused;
}

/** Builds the merge table of either kind of vocabulary. */
export function buildMerges(vocabulary: Vocabulary): MergeTable {
  const symbols = new Map<string, number>();
  vocabulary.tokens.forEach((token, id) => {
    if (comesFromText(vocabulary, id) && !symbols.has(token)) symbols.set(token, id);
  });
  return vocabulary.kind === "bytes" ? listedMerges(vocabulary, symbols) : scoredMerges(vocabulary, symbols);
}

function listedMerges(vocabulary: Vocabulary, symbols: Map<string, number>): MergeTable {
  const { merges, tokens } = vocabulary;
  const neverFromText = new Set(tokens.filter((_, id) => !comesFromText(vocabulary, id)));
  const columns = new Columns(merges.length);
  merges.forEach((merge, index) => {
    // In vocabularies that do not map bytes to letters, the left part may begin with a space.
    const space = merge.indexOf(" ", 1);
    const parts = [merge.slice(0, space), merge.slice(space + 1)] as const;
    if (space < 1 || parts[1] === "") {
      throw invalidMerge(index, `is ${JSON.stringify(merge)}, expected two tokens with a space between them`);
    }
    const left = symbols.get(parts[0]);
    const right = symbols.get(parts[1]);
    const merged = symbols.get(parts[0] + parts[1]);
    if (left !== undefined && right !== undefined && merged !== undefined) {
      columns.add(left, right, merged, index);
      return;
    }
    for (const text of [...parts, parts[0] + parts[1]]) {
      if (!symbols.has(text) && !neverFromText.has(text)) {
        throw invalidMerge(
          index,
          `needs the token ${JSON.stringify(text)}, which the vocabulary does not have`,
        );
      }
    }
  });
  return columns.finish(symbols, tokens);
}

/**
 * SentencePiece files list no merges. Any two symbols join if their text together is a token, the highest
 * score first. So every way to cut a token in two is a merge with the token's own rank. Converters to merge
 * lists rank the cuts one after the other. That breaks ties differently in runs such as "aaaaa".
 */
function scoredMerges(vocabulary: Vocabulary, symbols: Map<string, number>): MergeTable {
  const { tokens, scores, settings } = vocabulary;
  const texts = [...tokens];
  for (const id of settings.merged) symbols.set((tokens[id] ?? "").replaceAll(" ", spaceMark), id);
  const spelled = new Array<string | undefined>(tokens.length);
  for (const [text, id] of symbols)
    if (spelled[id] === undefined || settings.merged.has(id)) spelled[id] = text;
  const ranks = rankByScore(scores ?? new Float32Array(tokens.length));
  const columns = new Columns(tokens.length * 4);
  const index = createTokenIndex(spelled);

  const symbolOf = (text: string, begin: number, end: number): number => {
    const known = index.find(begin, end);
    if (known !== -1 || !isOneCharacter(text, begin, end)) return known;
    const character = text.slice(begin, end);
    const made = symbols.get(character);
    if (made !== undefined) return made;
    symbols.set(character, texts.length);
    return texts.push(character) - 1;
  };

  spelled.forEach((token, id) => {
    if (token === undefined) return;
    index.load(token);
    for (let cut = 1; cut < token.length; cut += 1) {
      if (isLowSurrogate(token, cut)) continue;
      const left = symbolOf(token, 0, cut);
      if (left === -1) continue;
      const right = symbolOf(token, cut, token.length);
      if (right !== -1) columns.add(left, right, id, ranks[id] ?? 0);
    }
  });
  return columns.finish(symbols, texts);
}

/** Position of each score among all different scores, the highest being 0. */
function rankByScore(scores: ArrayLike<number>): Int32Array {
  const sorted = Float64Array.from(scores).sort();
  const distinct = sorted.filter((score, index) => index === 0 || score !== sorted[index - 1]);
  const ranks = new Int32Array(scores.length);
  for (let id = 0; id < ranks.length; id += 1) {
    const score = scores[id] ?? 0;
    let low = 0;
    let high = distinct.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((distinct[middle] ?? 0) < score) low = middle + 1;
      else high = middle;
    }
    ranks[id] = distinct.length - 1 - low;
  }
  return ranks;
}

function isLowSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function isOneCharacter(text: string, begin: number, end: number): boolean {
  return end - begin === 1 || (end - begin === 2 && isLowSurrogate(text, begin + 1));
}

function invalidMerge(index: number, problem: string): BitNetError {
  return new BitNetError(
    "MODEL_INVALID",
    `Cannot build the tokenizer: tokenizer.ggml.merges entry ${index} ${problem}`,
    {
      details: { key: "tokenizer.ggml.merges", index },
    },
  );
}

/** Four growing columns of integers: 280147 merges as objects would take ten times the memory. */
class Columns {
  #data: Int32Array;
  #count = 0;

  constructor(expected: number) {
    this.#data = new Int32Array(4 * Math.max(16, expected));
  }

  add(left: number, right: number, merged: number, rank: number): void {
    const at = 4 * this.#count;
    this.#count += 1;
    if (at === this.#data.length) {
      const grown = new Int32Array(2 * at);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[at] = left;
    this.#data[at + 1] = right;
    this.#data[at + 2] = merged;
    this.#data[at + 3] = rank;
  }

  finish(symbols: ReadonlyMap<string, number>, texts: readonly string[]): MergeTable {
    const column = (offset: number): Int32Array => {
      const values = new Int32Array(this.#count);
      for (let index = 0; index < values.length; index += 1)
        values[index] = this.#data[4 * index + offset] ?? 0;
      return values;
    };
    return { symbols, texts, left: column(0), right: column(1), merged: column(2), rank: column(3) };
  }
}
