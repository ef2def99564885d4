import * as library from "@huggingface/tokenizers";

/**
 * What is used of `@huggingface/tokenizers`. Its own declarations import files without extensions, which TypeScript
 * does not resolve under Node's module rules, so its classes have no types here; these say what its 0.2 does.
 */
interface TokenizersLibrary {
  /** Byte-pair encoding of one word. */
  readonly BPE: new (config: {
    readonly type: "BPE";
    readonly vocab: object;
    readonly merges: readonly string[];
  }) => {
    /** The symbols' texts that a word ends up as. */
    bpe(word: string): readonly string[];
    /** Rank of the pair whose `JSON.stringify([left, right])` is the key; equal ranks join from the left. */
    readonly bpe_ranks: Map<string, number>;
  };
  /** Isolates the matches of an expression of Oniguruma's dialect inside each piece. */
  readonly SplitPreTokenizer: new (config: {
    readonly type: "Split";
    readonly pattern: { readonly Regex: string };
    readonly behavior: "Isolated";
    readonly invert: false;
  }) => PreTokenizerLike;
  /** Spells the UTF-8 bytes of each piece as GPT-2's letters. */
  readonly ByteLevelPreTokenizer: new (config: {
    readonly type: "ByteLevel";
    readonly add_prefix_space: false;
    readonly use_regex: false;
  }) => PreTokenizerLike;
}

interface PreTokenizerLike {
  pre_tokenize(pieces: readonly string[]): string[];
}

const typed: TokenizersLibrary = library as unknown as TokenizersLibrary;

export const BPE: TokenizersLibrary["BPE"] = typed.BPE;
export const SplitPreTokenizer: TokenizersLibrary["SplitPreTokenizer"] = typed.SplitPreTokenizer;
export const ByteLevelPreTokenizer: TokenizersLibrary["ByteLevelPreTokenizer"] = typed.ByteLevelPreTokenizer;
