/**
 * How byte-level BPE vocabularies cut text into words before any merge, by the name in `tokenizer.ggml.pre`.
 *
 * The names and the expressions behind them are llama.cpp's, because its converter writes the name and its tokenizer
 * defines what the name means. Each expression in turn isolates its matches inside the pieces that the ones before it
 * left, so a look-ahead sees the end of a piece as the end of the text. `\s` means Unicode's White_Space.
 */
export interface PreTokenizer {
  readonly names: readonly string[];
  /** Regular expressions, Oniguruma's dialect as tokenizer.json files have it; applied one after the other. */
  readonly splits: readonly string[];
  /** A word that is a token as a whole is that token, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
  /** Whether BOS is added where the file does not say. */
  readonly addBos: boolean;
}

// The case-insensitive groups of the published expressions are spelt out: `(?i:)` is not in every engine, and folding
// by Unicode would also take U+017F for an s, which llama.cpp does not.
export const CONTRACTIONS: string = String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`;
const TAIL = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const LETTERS = String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+`;

const LLAMA_3 = CONTRACTIONS + LETTERS + String.raw`|\p{N}{1,3}` + TAIL;
const QWEN_2 = CONTRACTIONS + LETTERS + String.raw`|\p{N}` + TAIL;
/** As Qwen 2's, but marks belong to the letters that they are put on. */
const QWEN_35 =
  CONTRACTIONS +
  String.raw`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
export const GPT_2: string = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`;
const THREE_DIGITS = "[0-9][0-9][0-9]";

/** The splitter that llama.cpp falls back to where a file names none. */
export const DEFAULT_PRE_TOKENIZER: PreTokenizer = {
  names: ["default"],
  splits: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT_2, String.raw`\p{N}+`, THREE_DIGITS],
  ignoreMerges: false,
  addBos: false,
};

/** The Llama-3 splitter, which files made before the `pre` key existed mean but do not name. */
export const LLAMA_3_PRE_TOKENIZER: PreTokenizer = {
  // "falcon_e" is the name that BitNet's converter gives Falcon-E; llama.cpp itself does not know it.
  names: [
    "llama-bpe",
    "llama3",
    "llama-v3",
    "falcon3",
    "falcon-h1",
    "falcon_e",
    "pixtral",
    "midm-2.0",
    "lfm2",
  ],
  splits: [LLAMA_3],
  ignoreMerges: true,
  addBos: true,
};

/** Every splitter that is known for certain. A new one is one entry here. */
export const PRE_TOKENIZERS: readonly PreTokenizer[] = [
  DEFAULT_PRE_TOKENIZER,
  LLAMA_3_PRE_TOKENIZER,
  { names: ["dbrx", "smaug-bpe"], splits: [LLAMA_3], ignoreMerges: false, addBos: false },
  {
    names: ["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2", "kormo", "f2llmv2"],
    splits: [QWEN_2],
    ignoreMerges: false,
    addBos: false,
  },
  { names: ["qwen35"], splits: [QWEN_35], ignoreMerges: false, addBos: false },
  {
    names: [
      "gpt-2",
      "phi-2",
      "mpt",
      "olmo",
      "jais",
      "trillion",
      "exaone4",
      "gigachat",
      "mellum",
      "modern-bert",
    ],
    splits: [GPT_2],
    ignoreMerges: false,
    addBos: false,
  },
  {
    names: ["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"],
    splits: [String.raw`\p{N}`, GPT_2],
    ignoreMerges: false,
    addBos: false,
  },
  {
    names: ["falcon"],
    splits: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT_2, THREE_DIGITS],
    ignoreMerges: false,
    addBos: false,
  },
];

/** @returns the splitter of that name, or undefined. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  return PRE_TOKENIZERS.find((candidate) => candidate.names.includes(name));
}
