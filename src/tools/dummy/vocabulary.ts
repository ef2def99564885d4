import { BitNetError } from "../../errors.js";
import type { Metadata } from "../../files/index.js";

/** GGUF token types. */
const normalType = 1;
const controlType = 3;

/** The layout of Llama 3's vocabulary, which 2B4T shares: 256 control tokens at the end, including these. */
const llama3VocabSize = 128_256;
const llama3FirstControl = 128_000;
const llama3ControlNames: Readonly<Record<number, string>> = {
  0: "<|begin_of_text|>",
  1: "<|end_of_text|>",
  6: "<|start_header_id|>",
  7: "<|end_header_id|>",
  9: "<|eot_id|>",
};

/** Control tokens at the end of smaller vocabularies. */
const smallControls: readonly string[] = [
  "<|begin_of_text|>",
  "<|end_of_text|>",
  "<|eot_id|>",
  "<|start_header_id|>",
  "<|end_header_id|>",
  "<|pad|>",
  "<|reserved_0|>",
  "<|reserved_1|>",
];

/** A byte-level BPE vocabulary of any size, with the ids of its special tokens. */
export interface DummyVocabulary {
  readonly tokens: readonly string[];
  readonly tokenTypes: Int32Array;
  readonly merges: readonly string[];
  readonly bosId: number;
  readonly eosId: number;
  readonly eotId: number;
}

/**
 * Extends a small trained vocabulary to any size. The result encodes and decodes any text. First come the
 * small vocabulary's tokens with their own ids, then placeholders, then control tokens. No text gives a
 * placeholder, but a random model may choose one.
 *
 * @param base metadata of a byte-level BPE model with at least 256 normal tokens before its control tokens
 * @throws BitNetError MODEL_INVALID if `base` has no such vocabulary.
 */
export function extendVocabulary(base: Metadata, vocabSize: number): DummyVocabulary {
  const baseTokens = strings(base, "tokenizer.ggml.tokens");
  const baseTypes = base.get("tokenizer.ggml.token_type");
  const isControl = (index: number): boolean =>
    Array.isArray(baseTypes) || ArrayBuffer.isView(baseTypes)
      ? (baseTypes as ArrayLike<unknown>)[index] === controlType
      : false;

  const controls = vocabSize === llama3VocabSize ? llama3Controls() : smallControls;
  const firstControl = vocabSize - controls.length;
  const words = baseTokens.filter((_, index) => !isControl(index)).slice(0, firstControl);
  const placeholders = Array.from(
    { length: firstControl - words.length },
    (_, index) => `<|placeholder_${words.length + index}|>`,
  );
  const tokens = [...words, ...placeholders, ...controls];
  const known = new Set(words);
  const idOf = (token: string): number => {
    const id = tokens.indexOf(token, firstControl);
    if (id < 0) throw invalid(`control token "${token}"`);
    return id;
  };
  return {
    tokens,
    tokenTypes: Int32Array.from(tokens, (_, index) => (index < firstControl ? normalType : controlType)),
    // A vocabulary smaller than the base loses the merges whose result it lacks.
    merges: strings(base, "tokenizer.ggml.merges").filter((merge) => known.has(merge.replace(" ", ""))),
    bosId: idOf("<|begin_of_text|>"),
    eosId: idOf("<|end_of_text|>"),
    eotId: idOf("<|eot_id|>"),
  };
}

function llama3Controls(): readonly string[] {
  let reserved = 0;
  return Array.from({ length: llama3VocabSize - llama3FirstControl }, (_, index) => {
    const name = llama3ControlNames[index];
    if (name !== undefined) return name;
    reserved += 1;
    return `<|reserved_special_token_${reserved - 1}|>`;
  });
}

function strings(metadata: Metadata, key: string): readonly string[] {
  const value = metadata.get(key);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(`"${key}"`);
}

function invalid(what: string): BitNetError {
  return new BitNetError("MODEL_INVALID", `Cannot build a vocabulary: the base model has no ${what}`);
}
