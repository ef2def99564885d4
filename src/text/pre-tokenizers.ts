/**
 * How byte-level BPE vocabularies cut text into words before any merge, by the name in `tokenizer.ggml.pre`.
 *
 * Names and expressions are llama.cpp's. Its converter writes the name, and its tokenizer defines the
 * meaning. Each expression isolates its matches inside the pieces of the one before. So a look-ahead sees the
 * end of a piece as the end of the text. `\s` means Unicode's White_Space.
 */
export interface PreTokenizer {
  readonly names: readonly string[];
  /**
   * Regular expressions in Oniguruma's dialect, as in tokenizer.json files. They are applied one after the
   * other.
   */
  readonly splits: readonly string[];
  /** A word that is a token as a whole is that token. Merges do not change it. */
  readonly ignoreMerges: boolean;
  /** Whether BOS is added if the file does not say. */
  readonly addBos: boolean;
}

// The published expressions have case-insensitive groups. Here every case is written out, because some
// engines lack `(?i:)`. Folding by Unicode takes U+017F for an s. llama.cpp does not.
export const contractions: string = String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`;
const tail = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const letters = String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+`;

const llama3Words = contractions + letters + String.raw`|\p{N}{1,3}` + tail;
const qwen2Words = contractions + letters + String.raw`|\p{N}` + tail;
/** As Qwen 2's, but a combining mark is part of its letter's word. */
const qwen35Words =
  contractions +
  String.raw`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
export const gpt2Words: string = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`;
const threeDigits = "[0-9][0-9][0-9]";

/** llama.cpp's splitter for a file that names none. */
export const defaultPreTokenizer: PreTokenizer = {
  names: ["default"],
  splits: [String.raw`[\p{P}\$\+<=>\^~\|]+`, gpt2Words, String.raw`\p{N}+`, threeDigits],
  ignoreMerges: false,
  addBos: false,
};

/** The Llama 3 splitter. Files from before the `pre` key mean it without its name. */
export const llama3PreTokenizer: PreTokenizer = {
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
  splits: [llama3Words],
  ignoreMerges: true,
  addBos: true,
};

/** Every splitter that is known for certain. A new one is one entry here. */
export const knownPreTokenizers: readonly PreTokenizer[] = [
  defaultPreTokenizer,
  llama3PreTokenizer,
  { names: ["dbrx", "smaug-bpe"], splits: [llama3Words], ignoreMerges: false, addBos: false },
  {
    names: ["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2", "kormo", "f2llmv2"],
    splits: [qwen2Words],
    ignoreMerges: false,
    addBos: false,
  },
  { names: ["qwen35"], splits: [qwen35Words], ignoreMerges: false, addBos: false },
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
    splits: [gpt2Words],
    ignoreMerges: false,
    addBos: false,
  },
  {
    names: ["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"],
    splits: [String.raw`\p{N}`, gpt2Words],
    ignoreMerges: false,
    addBos: false,
  },
  {
    names: ["falcon"],
    splits: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Words, threeDigits],
    ignoreMerges: false,
    addBos: false,
  },
];

/** @returns the splitter of that name, or undefined. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  return knownPreTokenizers.find((candidate) => candidate.names.includes(name));
}
