import { TOKEN_TYPE } from "../text/vocabulary.js";
import { SPACE_MARK } from "../text/words.js";
import { type Config, isObject } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";
import { scoresOfMerges } from "./piece-scores.js";
import { splitterName } from "./splitter-name.js";

/** A tokenizer.json's tables in GGUF's terms. */
export interface TokenizerTables {
  readonly entries: readonly MetadataEntry[];
  /** The id of a token by its spelling. */
  readonly idOf: ReadonlyMap<string, number>;
  /** What the file puts around a text; undefined if it does not say. */
  readonly template: TextTemplate | undefined;
}

/** The ids of the special tokens before and after a text. They need not be the model's BOS and EOS. */
export interface TextTemplate {
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** The tables that both kinds of vocabulary share. */
interface Vocabulary {
  /** By id. Ids without a token are padding. */
  readonly tokens: string[];
  readonly types: Int32Array;
  readonly merges: readonly (readonly [string, string])[];
  readonly added: ReadonlySet<string>;
}

/** Far above any published vocabulary. A wrong number must not make a huge table. */
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
  // Old files with merges omit the type.
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
  const idOf = new Map<string, number>();
  vocabulary.tokens.forEach((token, id) => {
    if (!idOf.has(token)) idOf.set(token, id);
  });
  const entries = isByteLevel(tokenizer)
    ? byteEntries(tokenizer, model, vocabulary)
    : pieceEntries(tokenizer, model, vocabulary);
  return { entries, idOf, template: readTemplate(tokenizer, idOf) };
}

function readVocabulary(tokenizer: Config, model: Config, vocabSize: number): Vocabulary {
  const vocab = model.get("vocab");
  if (!isObject(vocab)) throw model.wrong("vocab", "an object of tokens and their ids");
  const tokens = new Array<string | undefined>(vocabSize);
  const types = new Int32Array(vocabSize).fill(TOKEN_TYPE.unused);
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
  for (const [token, id] of Object.entries(vocab)) place(token, id, TOKEN_TYPE.normal);

  const added = new Set<string>();
  tokenizer.list("added_tokens").forEach((_, index) => {
    const entry = tokenizer.element("added_tokens", index);
    const content = entry.text("content");
    const special = entry.flag("special", { default: false }) || looksSpecial(content);
    place(content, entry.get("id"), special ? TOKEN_TYPE.control : TOKEN_TYPE.userDefined);
    added.add(content);
  });
  return {
    tokens: Array.from(tokens, (token, id) => token ?? `[PAD${id}]`),
    types,
    merges: readMerges(model),
    added,
  };
}

/**
 * Marks that some files list as ordinary added tokens. Users must not be able to spell them in a text.
 * llama.cpp's converter also recognises control tokens by these patterns.
 */
function looksSpecial(token: string): boolean {
  return /^(<\|.*\|>|<｜.*｜>|<pad>|<mask>|<unused\d+>)$/s.test(token);
}

/** Pairs. Older files write a pair as one text with a space between its parts. */
function readMerges(model: Config): readonly (readonly [string, string])[] {
  return model.list("merges").map((merge, index) => {
    if (Array.isArray(merge) && merge.length === 2) {
      const [left, right] = merge as readonly unknown[];
      if (typeof left === "string" && typeof right === "string") return [left, right];
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
  // No engine for GGUF files composes characters either, and nearly all texts are composed.
  if (normalizer !== undefined && normalizer.get("type") !== "NFC") {
    throw normalizer.unsupported("UNSUPPORTED_TOKENIZER", "only NFC is known before byte-level tokens");
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
  ];
}

function pieceEntries(
  tokenizer: Config,
  model: Config,
  { tokens, types, merges, added }: Vocabulary,
): readonly MetadataEntry[] {
  const prefix = spacePrefix(tokenizer);
  const unknown = model.get("unk_token");
  const byteFallback = model.flag("byte_fallback", { default: false });
  tokens.forEach((token, id) => {
    if (token === unknown) types[id] = TOKEN_TYPE.unknown;
    else if (byteFallback && types[id] === TOKEN_TYPE.normal && /^<0x[0-9A-F]{2}>$/.test(token)) {
      types[id] = TOKEN_TYPE.byte;
    }
  });
  const fromText = new Set(tokens.filter((_, id) => types[id] === TOKEN_TYPE.normal));
  const scores = scoresOfMerges(tokenizer, merges, fromText, added);
  return [
    ["tokenizer.ggml.model", "string", "llama"],
    ["tokenizer.ggml.pre", "string", "default"],
    [
      "tokenizer.ggml.tokens",
      "string[]",
      // Such tokens are found in the original text, before its spaces become marks.
      tokens.map((token, id) =>
        types[id] === TOKEN_TYPE.userDefined ? token.replaceAll(SPACE_MARK, " ") : token,
      ),
    ],
    [
      "tokenizer.ggml.scores",
      "float32[]",
      Float32Array.from(tokens, (token, id) =>
        types[id] === TOKEN_TYPE.normal ? (scores.get(token) ?? -scores.size) : 0,
      ),
    ],
    ["tokenizer.ggml.token_type", "int32[]", types],
    ["tokenizer.ggml.add_space_prefix", "bool", prefix],
  ];
}

/** Whether a text is encoded as if it began with a space. All other steps of such files are refused. */
function spacePrefix(tokenizer: Config): boolean {
  const normalizer = tokenizer.object("normalizer");
  const steps = normalizer === undefined ? [] : stepsOf(normalizer, "normalizers");
  let prepends = false;
  let replaces = false;
  for (const step of steps) {
    const type = step.get("type");
    if (type === "Prepend" && step.get("prepend") === SPACE_MARK) prepends = true;
    else if (type === "Replace" && patternOf(step) === " " && step.get("content") === SPACE_MARK) {
      replaces = true;
    } else throw unknownStep(step);
  }
  const pre = tokenizer.object("pre_tokenizer");
  for (const step of pre === undefined ? [] : stepsOf(pre, "pretokenizers")) {
    const type = step.get("type");
    if (type === "Metaspace" && step.text("replacement", SPACE_MARK) === SPACE_MARK) {
      replaces = true;
      const scheme = step.text(
        "prepend_scheme",
        step.flag("add_prefix_space", { default: true }) ? "always" : "never",
      );
      prepends ||= scheme !== "never";
      // After a normalizer that removes spaces, a split at spaces finds nothing.
    } else if (!(type === "Split" && patternOf(step) === " " && replaces)) throw unknownStep(step);
  }
  if (replaces) return prepends;
  throw tokenizer.unsupported(
    "UNSUPPORTED_TOKENIZER",
    "it is neither byte-level nor marks spaces as SentencePiece does",
  );
}

function stepsOf(step: Config, key: string): readonly Config[] {
  if (step.get("type") !== "Sequence") return [step];
  return step.list(key).flatMap((_, index) => stepsOf(step.element(key, index), key));
}

function patternOf(step: Config): unknown {
  return step.object("pattern")?.get("String");
}

function unknownStep(step: Config): Error {
  return step.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `a step of type ${JSON.stringify(step.get("type"))?.slice(0, 40)} is not known here in a vocabulary like SentencePiece's`,
  );
}

/** What a post-processor puts around a text, if it has a template. */
function readTemplate(tokenizer: Config, idOf: ReadonlyMap<string, number>): TextTemplate | undefined {
  const post = tokenizer.object("post_processor");
  const steps = post === undefined ? [] : stepsOf(post, "processors");
  const step = steps.find((each) => each.get("type") === "TemplateProcessing");
  if (step === undefined) return undefined;
  const specials = step
    .list("single")
    .map((_, index) => step.element("single", index).object("SpecialToken"));
  const text = specials.indexOf(undefined);
  if (text < 0 || text > 1 || specials.length > text + 2) {
    throw step.unsupported(
      "UNSUPPORTED_TOKENIZER",
      "a template with more than a token before a text and a token after it is not known here",
    );
  }
  const id = (special: Config | undefined): number | undefined => {
    if (special === undefined) return undefined;
    const found = idOf.get(special.text("id"));
    if (found === undefined) throw special.wrong("id", "a token of the vocabulary");
    return found;
  };
  return { before: id(specials[text - 1]), after: id(specials[text + 1]) };
}
