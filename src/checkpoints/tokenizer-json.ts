import { settingsEntries, type TextSettings } from "../text/text-settings.js";
import { tokenTypes } from "../text/vocabulary.js";
import { spaceMark } from "../text/token-spelling.js";
import { type Config, isObject } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";
import { scoresOfMerges } from "./piece-scores.js";
import { readMarks } from "./space-marks.js";
import { splitterName } from "./splitter-name.js";
import { type IdOf, readTemplate, type TextTemplate } from "./text-template.js";
import { stepsOf } from "./tokenizer-steps.js";

/** A tokenizer.json's tables in GGUF's terms. */
export interface TokenizerTables {
  readonly entries: readonly MetadataEntry[];
  readonly idOf: IdOf;
  /** The tokens that the post-processor puts around a text. Undefined: it has no template. */
  readonly template: TextTemplate | undefined;
}

/** The tables that both kinds of vocabulary share. */
interface Vocabulary {
  /** By id. An id without a token is padding. */
  readonly tokens: string[];
  readonly types: Int32Array;
  readonly merges: readonly (readonly [string, string])[];
  readonly added: ReadonlySet<string>;
  /** Ids of added tokens that the model's own vocabulary has too. */
  readonly inModel: ReadonlySet<number>;
  readonly settings: Partial<TextSettings>;
}

/** The largest published vocabularies have 262,144 tokens. A wrong number must make no huge table. */
const maxTokens = 1 << 21;

/**
 * Reads the tables of a tokenizer.json: byte-level BPE, or SentencePiece's BPE as converters write it.
 *
 * @param vocabSize rows of the embedding; ids without a token are padding
 * @throws BitNetError UNSUPPORTED_TOKENIZER for other kinds; MODEL_INVALID for tables that contradict each
 *   other.
 */
export function readTokenizerJson(tokenizer: Config, vocabSize: number): TokenizerTables {
  const model = tokenizer.object("model");
  if (model === undefined) throw tokenizer.wrong("model", "an object");
  // Old files have merges and no type.
  const type = model.text("type", "BPE");
  if (type !== "BPE" || !model.has("merges")) {
    throw model.unsupported(
      "UNSUPPORTED_TOKENIZER",
      `tokens of type "${type.slice(0, 40)}" are not known here (byte-pair encoding is)`,
    );
  }
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model.get(key) === undefined || model.get(key) === "") continue;
    throw model.unsupported("UNSUPPORTED_TOKENIZER", `"${key}" is not known here`);
  }
  if (vocabSize > maxTokens) throw tokenizer.invalid(`a vocabulary of ${vocabSize} tokens is too large`);
  const vocabulary = readVocabulary(tokenizer, model, vocabSize);
  // A map of all tokens took 45 ms for Gemma 3. Readers ask for fewer than ten.
  const idOf: IdOf = (spelling) => {
    const id = vocabulary.tokens.indexOf(spelling);
    return id === -1 ? undefined : id;
  };
  const entries = isByteLevel(tokenizer)
    ? byteEntries(tokenizer, model, vocabulary)
    : pieceEntries(tokenizer, model, vocabulary);
  return { entries, idOf, template: readTemplate(tokenizer, idOf) };
}

function readVocabulary(tokenizer: Config, model: Config, vocabSize: number): Vocabulary {
  const vocab = model.get("vocab");
  if (!isObject(vocab)) throw model.wrong("vocab", "an object of tokens and their ids");
  const tokens = new Array<string | undefined>(vocabSize);
  const types = new Int32Array(vocabSize).fill(tokenTypes.unused);
  const place = (token: unknown, id: unknown, type: number): void => {
    if (typeof token !== "string" || typeof id !== "number" || !Number.isInteger(id) || id < 0) {
      throw tokenizer.invalid(`token ${JSON.stringify(token)} has the id ${JSON.stringify(id)}`);
    }
    if (id >= vocabSize) {
      throw tokenizer.invalid(
        `token ${JSON.stringify(token)} has the id ${id}, and config.json says "vocab_size" ${vocabSize}`,
        { tokenId: id, vocabSize },
      );
    }
    if (tokens[id] !== undefined && tokens[id] !== token) {
      throw tokenizer.invalid(
        `tokens ${JSON.stringify(tokens[id])} and ${JSON.stringify(token)} both have the id ${id}`,
        { tokenId: id },
      );
    }
    tokens[id] = token;
    types[id] = type;
  };
  for (const token of Object.keys(vocab)) place(token, vocab[token], tokenTypes.normal);

  const added = new Set<string>();
  const inModel = new Set<number>();
  const flagged = {
    stripsLeft: new Set<number>(),
    stripsRight: new Set<number>(),
    singleWord: new Set<number>(),
    normalized: new Set<number>(),
  };
  tokenizer.list("added_tokens").forEach((_, index) => {
    const entry = tokenizer.element("added_tokens", index);
    const content = entry.text("content");
    // An added token that the model's vocabulary has is that token, whatever id it is listed with.
    const isInModel = Object.hasOwn(vocab, content);
    const id = isInModel ? vocab[content] : entry.get("id");
    // Gemma 3's text models have fewer rows than its tokenizer has tokens. A token without a row has no
    // vector. It is text.
    if (typeof id === "number" && id >= vocabSize) return;
    const isControl = entry.flag("special", { default: false }) || looksSpecial(content);
    place(content, id, isControl ? tokenTypes.control : tokenTypes.userDefined);
    added.add(content);
    if (isInModel) inModel.add(Number(id));
    for (const [name, key] of Object.entries(addedFlags)) {
      if (entry.flag(key, { default: false })) flagged[name as keyof typeof addedFlags].add(Number(id));
    }
  });
  return {
    tokens: Array.from(tokens, (token, id) => token ?? `[PAD${id}]`),
    types,
    merges: readMerges(model),
    added,
    inModel,
    settings: { ...flagged, exact: true },
  };
}

const addedFlags = {
  stripsLeft: "lstrip",
  stripsRight: "rstrip",
  singleWord: "single_word",
  normalized: "normalized",
} as const;

/**
 * Some files list control tokens as ordinary added tokens. Text from users must not spell them. llama.cpp's
 * converter recognises them by the same looks.
 */
function looksSpecial(token: string): boolean {
  return /^(<\|.*\|>|<｜.*｜>|<pad>|<mask>|<unused\d+>)$/s.test(token);
}

/** Pairs. Older files write a pair as one text with a space between its parts. */
function readMerges(model: Config): readonly (readonly [string, string])[] {
  return model.list("merges").map((merge, index) => {
    if (Array.isArray(merge) && merge.length === 2) {
      const [left, right] = merge as readonly unknown[];
      // The list's own pair: Gemma 3 has half a million.
      if (typeof left === "string" && typeof right === "string")
        return merge as unknown as readonly [string, string];
    }
    const space = typeof merge === "string" ? merge.indexOf(" ", 1) : -1;
    if (typeof merge === "string" && space > 0) return [merge.slice(0, space), merge.slice(space + 1)];
    throw model.invalid(`merge ${index} is ${JSON.stringify(merge)?.slice(0, 80)}, expected two tokens`);
  });
}

function isByteLevel(tokenizer: Config): boolean {
  const hasByteLevel = (step: Config | undefined): boolean => {
    if (step?.get("type") !== "Sequence") return step?.get("type") === "ByteLevel";
    return step.list("pretokenizers").some((_, index) => hasByteLevel(step.element("pretokenizers", index)));
  };
  return hasByteLevel(tokenizer.object("pre_tokenizer"));
}

function byteEntries(tokenizer: Config, model: Config, vocabulary: Vocabulary): readonly MetadataEntry[] {
  const normalizer = tokenizer.object("normalizer");
  const steps = normalizer === undefined ? [] : stepsOf(normalizer, "normalizers");
  for (const step of steps) {
    if (step.get("type") === "NFC") continue;
    throw step.unsupported("UNSUPPORTED_TOKENIZER", "only NFC is known before byte-level tokens");
  }
  const merges = vocabulary.merges.map(([left, right]) => {
    if (!left.includes(" ") && !right.includes(" ")) return `${left} ${right}`;
    throw model.invalid(
      `a merge of ${JSON.stringify([left, right])} has a space in it, which no byte is spelt as`,
    );
  });
  return [
    ["tokenizer.ggml.model", "string", "gpt2"],
    [
      "tokenizer.ggml.pre",
      "string",
      splitterName(tokenizer, model.flag("ignore_merges", { default: false })),
    ],
    ["tokenizer.ggml.tokens", "string[]", vocabulary.tokens],
    ["tokenizer.ggml.token_type", "int32[]", vocabulary.types],
    ["tokenizer.ggml.merges", "string[]", merges],
    // NFC keeps a token's text. A search before or after it finds the same. So the flag says nothing here.
    ...settingsEntries({
      ...vocabulary.settings,
      normalized: new Set(),
      nfc: steps.length > 0,
      merged: vocabulary.inModel,
    }),
  ];
}

function pieceEntries(tokenizer: Config, model: Config, vocabulary: Vocabulary): readonly MetadataEntry[] {
  const { tokens, types, merges, added, settings } = vocabulary;
  const { prefix, ...marks } = readMarks(tokenizer);
  const unknown = model.get("unk_token");
  const byteFallback = model.flag("byte_fallback", { default: false });
  tokens.forEach((token, id) => {
    if (token === unknown) types[id] = tokenTypes.unknown;
    else if (
      byteFallback &&
      types[id] === tokenTypes.normal &&
      token.length === 6 &&
      /^<0x[0-9A-F]{2}>$/.test(token)
    ) {
      types[id] = tokenTypes.byte;
    }
  });
  const isText = (id: number): boolean => types[id] === tokenTypes.normal;
  const { scores, count } = scoresOfMerges(
    tokenizer,
    merges,
    tokens.map((token, id) => (isText(id) && !added.has(token) ? token : undefined)),
  );
  return [
    ["tokenizer.ggml.model", "string", "llama"],
    ["tokenizer.ggml.pre", "string", "default"],
    [
      "tokenizer.ggml.tokens",
      "string[]",
      // Such tokens are found in the original text, before its spaces become marks.
      tokens.map((token, id) =>
        types[id] === tokenTypes.userDefined ? token.replaceAll(spaceMark, " ") : token,
      ),
    ],
    [
      "tokenizer.ggml.scores",
      "float32[]",
      Float32Array.from(tokens, (_, id) => (isText(id) ? (scores[id] ?? -count) : 0)),
    ],
    ["tokenizer.ggml.token_type", "int32[]", types],
    ["tokenizer.ggml.add_space_prefix", "bool", prefix],
    ...settingsEntries({ ...settings, ...marks, merged: mergedTokens(vocabulary) }),
  ];
}

/**
 * Added tokens that merges make as well. A token of spaces is searched for before spaces become marks. Merges
 * make it from the marks. A single-word token is found as a whole word only. Merges make it inside words.
 */
function mergedTokens({ tokens, merges, inModel, settings }: Vocabulary): ReadonlySet<number> {
  const ids = new Map<string, number>();
  for (const id of inModel) {
    const token = tokens[id] ?? "";
    if (token.includes(spaceMark) || settings.singleWord?.has(id) === true) ids.set(token, id);
  }
  // A text is only joined where its last character can be right. There are half a million merges.
  const ends = new Set([...ids.keys()].map((token) => token.at(-1)));
  const merged = new Set<number>();
  for (const [left, right] of ids.size === 0 ? [] : merges) {
    const id = ends.has(right.at(-1)) ? ids.get(left + right) : undefined;
    if (id !== undefined) merged.add(id);
  }
  return merged;
}
