import { BitNetError } from "../errors.js";
import type { Metadata } from "../files/model-file.js";
import {
  defaultPreTokenizer,
  findPreTokenizer,
  llama3PreTokenizer,
  type PreTokenizer,
} from "./pre-tokenizers.js";
import { readSettings, type TextSettings } from "./text-settings.js";

/** Types of tokens, by GGUF's numbers. */
export const tokenTypes = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** A tokenizer's tables as a GGUF file has them, checked. */
export interface Vocabulary {
  /**
   * `bytes`: BPE over UTF-8 bytes by listed merges (GPT-2's way). `characters`: SentencePiece BPE by scores.
   */
  readonly kind: "bytes" | "characters";
  readonly tokens: readonly string[];
  /** tokenTypes of every token. */
  readonly types: Uint8Array;
  /** `characters` only: how early a token is merged, higher first. */
  readonly scores: ArrayLike<number> | undefined;
  /** `bytes` only: "left right", earlier first. */
  readonly merges: readonly string[];
  /** `bytes` only. */
  readonly preTokenizer: PreTokenizer | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unknownId: number | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** `characters` only: a space is put before text. */
  readonly addSpacePrefix: boolean;
  readonly endOfGenerationIds: ReadonlySet<number>;
  readonly chatTemplate: string | undefined;
  readonly settings: TextSettings;
}

// The largest published tokenizers have 262,144 tokens and half a million merges. The limits keep the work
// for a hostile file small. The work grows with the characters in the file × the longest token.
const maxTokens = 1 << 21;
const maxMerges = 1 << 22;
export const maxTokenLength = 1024;

/**
 * Names of tokens that end an answer, as llama.cpp has them. They end it even if the file does not say so.
 */
const endOfGenerationNames: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|eom_id|>",
  "<|endoftext|>",
  "<|end_of_text|>",
  "<end_of_turn>",
  "<end_of_utterance>",
  "<｜end▁of▁sentence｜>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "</s>",
  "<eos>",
  // A model that starts another file or repository has finished this one.
  "<|fim_pad|>",
  "<fim-pad>",
  "<fim_pad>",
  "<|fim_repo|>",
  "<|repo_name|>",
  "<|file_sep|>",
]);

const endOfGenerationKeys = ["eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"] as const;

/**
 * Reads and checks the tokenizer's part of a file's metadata.
 * @throws BitNetError UNSUPPORTED_TOKENIZER for an unknown kind or splitter; MODEL_INVALID for contradictory
 *   tables.
 */
export function readVocabulary(metadata: Metadata): Vocabulary {
  const kind = readKind(metadata);
  const tokens = readStrings(metadata, "tokenizer.ggml.tokens", maxTokens, maxTokenLength);
  if (tokens === undefined || tokens.length === 0) {
    throw invalid("tokenizer.ggml.tokens", "is missing or empty, and no text can be encoded without it");
  }
  if (kind === "bytes" && !tokens.includes("Ġ")) {
    throw new BitNetError(
      "UNSUPPORTED_TOKENIZER",
      "Cannot build the tokenizer: tokenizer.ggml.model names byte-level BPE, and the vocabulary has no token for a space (Ġ); " +
        "a SentencePiece vocabulary written under that name would lose every space: convert the model anew",
      { details: { key: "tokenizer.ggml.tokens" } },
    );
  }
  const settings = readSettings(metadata);
  const types = readTypes(metadata, tokens, kind);
  const preTokenizer = kind === "bytes" ? readPreTokenizer(metadata, tokens.length) : undefined;

  // SentencePiece files need not name these ids. Every such model has the same.
  const implied = (id: number): number | undefined =>
    kind === "characters" && id < tokens.length ? id : undefined;
  const id = (name: string): number | undefined =>
    readId(metadata, `tokenizer.ggml.${name}_token_id`, tokens.length);
  const bosId = id("bos") ?? implied(1);
  const eosId = id("eos") ?? implied(2);
  const unknownId = id("unknown") ?? implied(0);

  const addBosKey = readFlag(metadata, "tokenizer.ggml.add_bos_token");
  if (addBosKey === true && bosId === undefined) {
    throw invalid(
      "tokenizer.ggml.add_bos_token",
      "asks for a token that tokenizer.ggml.bos_token_id does not name",
    );
  }
  const addEosKey = readFlag(metadata, "tokenizer.ggml.add_eos_token");
  if (addEosKey === true && eosId === undefined) {
    throw invalid(
      "tokenizer.ggml.add_eos_token",
      "asks for a token that tokenizer.ggml.eos_token_id does not name",
    );
  }

  const endOfGenerationIds = new Set<number>();
  for (const name of endOfGenerationKeys) {
    const ending = id(name);
    if (ending !== undefined) endOfGenerationIds.add(ending);
  }
  if (eosId !== undefined) endOfGenerationIds.add(eosId);
  tokens.forEach((token, index) => {
    if (!endOfGenerationNames.has(token)) return;
    if (settings.exact && types[index] !== tokenTypes.control) return;
    endOfGenerationIds.add(index);
    // Some files mark such a token as ordinary text. It would then be printed, and users could type it.
    types[index] = tokenTypes.control;
  });

  const template = metadata.get("tokenizer.chat_template");
  return {
    kind,
    tokens,
    types,
    scores: kind === "characters" ? readScores(metadata, tokens.length) : undefined,
    merges: kind === "bytes" ? readMerges(metadata) : [],
    preTokenizer,
    bosId,
    eosId,
    unknownId,
    addBos: bosId !== undefined && (addBosKey ?? preTokenizer?.addBos ?? true),
    addEos: addEosKey ?? false,
    addSpacePrefix: kind === "characters" && (readFlag(metadata, "tokenizer.ggml.add_space_prefix") ?? true),
    endOfGenerationIds,
    chatTemplate: typeof template === "string" ? template : undefined,
    settings,
  };
}

function readKind(metadata: Metadata): Vocabulary["kind"] {
  const model = metadata.get("tokenizer.ggml.model");
  if (model === "gpt2") return "bytes";
  if (model === "llama") return "characters";
  const named = typeof model === "string" ? `"${model}"` : "no tokenizer";
  throw new BitNetError(
    "UNSUPPORTED_TOKENIZER",
    `Cannot build the tokenizer: tokenizer.ggml.model names ${named} (supported: "gpt2", "llama")`,
    { details: { model } },
  );
}

function readPreTokenizer(metadata: Metadata, vocabSize: number): PreTokenizer {
  const name = metadata.get("tokenizer.ggml.pre");
  if (name === undefined || name === "") {
    // The official BitNet b1.58 2B4T file has no such key. Its 128256 tokens are Llama 3's, and the default
    // splitter would cut numbers and punctuation as the model never saw them.
    return vocabSize === 128256 ? llama3PreTokenizer : defaultPreTokenizer;
  }
  const found = typeof name === "string" ? findPreTokenizer(name) : undefined;
  if (found === undefined) {
    throw new BitNetError(
      "UNSUPPORTED_TOKENIZER",
      `Cannot build the tokenizer: tokenizer.ggml.pre names the splitter ${JSON.stringify(String(name))}, which is not known`,
      { details: { pre: name } },
    );
  }
  return found;
}

function readTypes(metadata: Metadata, tokens: readonly string[], kind: Vocabulary["kind"]): Uint8Array {
  const types = new Uint8Array(tokens.length).fill(tokenTypes.normal);
  const key = "tokenizer.ggml.token_type";
  const stored = readNumbers(metadata, key, tokens.length);
  for (let index = 0; index < tokens.length; index += 1) {
    const type = stored?.[index] ?? tokenTypes.normal;
    if (type >= tokenTypes.normal && type <= tokenTypes.byte) types[index] = type;
    if (type === tokenTypes.byte && kind === "characters" && !/^<0x[0-9A-F]{2}>$/.test(tokens[index] ?? "")) {
      throw invalid(
        key,
        `marks token ${index} as a byte, but its text ${JSON.stringify(tokens[index])} is not <0xHH>`,
      );
    }
  }
  return types;
}

function readScores(metadata: Metadata, count: number): ArrayLike<number> {
  const scores = readNumbers(metadata, "tokenizer.ggml.scores", count) ?? new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    if (!Number.isFinite(scores[index])) {
      throw invalid("tokenizer.ggml.scores", `has ${scores[index]} at ${index}, expected a finite number`);
    }
  }
  return scores;
}

function readMerges(metadata: Metadata): readonly string[] {
  const key = "tokenizer.ggml.merges";
  const merges = readStrings(metadata, key, maxMerges, 2 * maxTokenLength + 1);
  if (merges === undefined) throw invalid(key, "is missing, and byte-level BPE cannot encode without it");
  return merges;
}

function readStrings(
  metadata: Metadata,
  key: string,
  maxCount: number,
  maxLength: number,
): readonly string[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw invalid(key, "is not an array of strings");
  if (value.length > maxCount)
    throw invalid(key, `has ${value.length} entries, more than the ${maxCount} accepted`);
  value.forEach((entry: unknown, index) => {
    if (typeof entry !== "string") throw invalid(key, `has an entry that is not a string at ${index}`);
    if (entry.length > maxLength) {
      throw invalid(
        key,
        `has an entry of ${entry.length} characters at ${index}, more than the ${maxLength} accepted`,
      );
    }
  });
  return value as readonly string[];
}

function readNumbers(metadata: Metadata, key: string, count: number): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (!ArrayBuffer.isView(value)) throw invalid(key, "is not an array of numbers");
  if (value.length < count) throw invalid(key, `has ${value.length} entries for ${count} tokens`);
  return value;
}

function readId(metadata: Metadata, key: string, vocabSize: number): number | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= vocabSize) {
    throw invalid(key, `is ${String(value)}, expected a token id from 0 to ${vocabSize - 1}`);
  }
  return value;
}

function readFlag(metadata: Metadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== "boolean") throw invalid(key, `is ${String(value)}, expected true or false`);
  return value;
}

function invalid(key: string, problem: string): BitNetError {
  return new BitNetError("MODEL_INVALID", `Cannot build the tokenizer: ${key} ${problem}`, {
    details: { key },
  });
}
