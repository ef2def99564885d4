import { BitNetError } from "../errors.js";
import type { Metadata } from "../files/model-file.js";
import { buildMerges } from "./merges.js";
import { DEFAULT_PRE_TOKENIZER } from "./pre-tokenizers.js";
import { bySpellingLength, cutSpecialTokens, type MayStand } from "./special-tokens.js";
import { createTokenBytes } from "./token-bytes.js";
import { readVocabulary, TOKEN_TYPE, type Vocabulary } from "./vocabulary.js";
import { createWordEncoder } from "./word-encoder.js";
import { createByteWordSplitter, createCharacterWordSplitter } from "./words.js";

/** Options of `model.tokenize`. */
export interface EncodeOptions {
  /** Add BOS before and EOS after, as far as the model wants them. Default true. */
  readonly addSpecial?: boolean | undefined;
  /**
   * Take the spelling of a control token, such as `<|eot_id|>`, for the token itself. Default false: text that comes
   * from users must not be able to end a turn or begin a system prompt.
   */
  readonly parseSpecial?: boolean | undefined;
}

/** A piece of a text, and whether the spelling of a control token in it is that token. */
export interface TextPart {
  readonly text: string;
  readonly parseSpecial: boolean;
}

export interface DecodeOptions {
  /** Leave control tokens out. Default true; false spells them. */
  readonly skipSpecial?: boolean | undefined;
}

/** Text to token ids and back, as the model was trained. Immutable. */
export interface Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Whether `encode` ends a text with EOS. */
  readonly addsEos: boolean;
  /** Any of these ends an answer. */
  readonly endOfGenerationIds: ReadonlySet<number>;
  /** The file's chat template, in Jinja, where it has one. */
  readonly chatTemplate: string | undefined;
  /** Whether a text's first space is an addition of `encode` that `decode` takes away again. */
  readonly dropsFirstSpace: boolean;
  /**
   * Surrogates without their other half become U+FFFD.
   * @throws `INVALID_ARGUMENT` if `text` is not a string.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Ids of a text in parts, of which some may spell control tokens and others may not: the text of parts that meet is one
   * text. Nothing is added at its ends.
   */
  encodeParts(parts: readonly TextPart[]): number[];
  /**
   * Bytes that are not UTF-8 become U+FFFD.
   * @throws `INVALID_ARGUMENT` for a number that is not a token id.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /**
   * The bytes of one token, which may be part of a character; empty for control tokens unless `skipSpecial` is false.
   * The array is shared: do not write to it.
   * @throws `INVALID_ARGUMENT` for a number that is not a token id.
   */
  tokenBytes(id: number, options?: DecodeOptions): Uint8Array;
  /** Whether a token is a mark and not text: control tokens and the unknown token. */
  isControl(id: number): boolean;
}

/**
 * Builds a tokenizer from a GGUF file's metadata.
 *
 * Ids equal llama.cpp's, with one exception: it can be made to spell a control token from a user's text where the
 * vocabulary happens to have the halves of its spelling, and this cannot. Decoding adds and removes no spaces
 * around punctuation.
 * @throws `UNSUPPORTED_TOKENIZER` for a kind or splitter that is not known, `MODEL_INVALID` for contradictory tables.
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const vocabulary = readVocabulary(metadata);
  const { tokens, types, bosId, eosId, addBos, addEos, addSpacePrefix } = vocabulary;
  const encodeText = createTextEncoder(vocabulary);
  const bytesOf = createTokenBytes(vocabulary);

  const specials = tokens
    .map((text, id) => ({ id, text, type: types[id] }))
    .filter(({ text }) => text !== "");
  const userDefined = specials.filter(({ type }) => type === TOKEN_TYPE.userDefined);
  const always = bySpellingLength(userDefined);
  const onRequest = bySpellingLength([
    ...userDefined,
    ...specials.filter(({ type }) => type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown),
  ]);

  const isControl = (id: number): boolean =>
    types[id] === TOKEN_TYPE.control || types[id] === TOKEN_TYPE.unknown;

  const tokenBytes = (id: number, { skipSpecial = true }: DecodeOptions = {}): Uint8Array => {
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot decode: ${String(id)} is not a token id (expected an integer from 0 to ${tokens.length - 1})`,
        { details: { tokenId: id } },
      );
    }
    return skipSpecial && isControl(id) ? NO_BYTES : bytesOf(id);
  };

  const cutPart = ({ text, parseSpecial }: TextPart): readonly (string | number)[] =>
    cutSpecialTokens(toWellFormed(text), parseSpecial ? onRequest : always);

  function encodePieces(pieces: readonly (string | number)[], ids: number[]): void {
    let afterSpecial = true;
    for (const piece of pieces) {
      if (typeof piece === "number") ids.push(piece);
      else encodeText(addSpacePrefix && afterSpecial ? " " + piece : piece, ids);
      afterSpecial = typeof piece === "number";
    }
  }

  return {
    vocabSize: tokens.length,
    bosId,
    eosId,
    addsEos: addEos && eosId !== undefined,
    endOfGenerationIds: vocabulary.endOfGenerationIds,
    chatTemplate: vocabulary.chatTemplate,
    dropsFirstSpace: addSpacePrefix,
    isControl,
    tokenBytes,

    encode(text: string, { addSpecial = true, parseSpecial = false }: EncodeOptions = {}): number[] {
      if (typeof text !== "string") {
        throw new BitNetError("INVALID_ARGUMENT", `Cannot encode: text is ${typeof text}, expected a string`);
      }
      const ids: number[] = [];
      if (addSpecial && addBos && bosId !== undefined) ids.push(bosId);
      encodePieces(cutPart({ text, parseSpecial }), ids);
      if (addSpecial && addEos && eosId !== undefined) ids.push(eosId);
      return ids;
    },

    encodeParts(parts): number[] {
      const text = parts.map((part) => part.text).join("");
      const isPlain = new Uint8Array(text.length);
      let end = 0;
      for (const part of parts) {
        end += part.text.length;
        if (!part.parseSpecial) isPlain.fill(1, end - part.text.length, end);
      }
      // Tokens that users may spell stand anywhere, also across parts.
      const mayStand: MayStand = ({ id }, from, to) =>
        types[id] === TOKEN_TYPE.userDefined || !isPlain.subarray(from, to).includes(1);
      const ids: number[] = [];
      encodePieces(cutSpecialTokens(toWellFormed(text), onRequest, mayStand), ids);
      return ids;
    },

    decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
      const parts: Uint8Array[] = [];
      let length = 0;
      for (const id of ids) {
        const part = tokenBytes(id, options);
        parts.push(part);
        length += part.length;
      }
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      const begin = addSpacePrefix && bytes[0] === SPACE ? 1 : 0;
      // A byte order mark is a character like any other here.
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(begin));
    },
  };
}

const NO_BYTES = new Uint8Array(0);
const SPACE = 0x20;

/** Text without special tokens to ids. */
function createTextEncoder(vocabulary: Vocabulary): (text: string, ids: number[]) => void {
  const merges = buildMerges(vocabulary);
  const splitter =
    vocabulary.kind === "bytes"
      ? createByteWordSplitter(vocabulary.preTokenizer ?? DEFAULT_PRE_TOKENIZER)
      : createCharacterWordSplitter(merges.symbols.keys());
  const encoder = createWordEncoder({
    merges,
    vocabSize: vocabulary.tokens.length,
    ignoreMerges: vocabulary.preTokenizer?.ignoreMerges ?? false,
    // A byte-level vocabulary without a letter for some byte cannot say that byte; llama.cpp leaves it out too.
    fallback: vocabulary.kind === "bytes" ? () => [] : createByteFallback(vocabulary),
  });
  return (text, ids) => encoder.encode(splitter(text), ids);
}

/** Characters that no token has: as byte tokens, or as the unknown token where a byte has no token. */
function createByteFallback(vocabulary: Vocabulary): (text: string) => readonly number[] {
  const idOfByte = new Map<number, number>();
  vocabulary.tokens.forEach((token, id) => {
    if (vocabulary.types[id] === TOKEN_TYPE.byte) idOfByte.set(parseInt(token.slice(3, 5), 16), id);
  });
  const unknown = vocabulary.unknownId === undefined ? [] : [vocabulary.unknownId];
  const encoder = new TextEncoder();
  return (text) => {
    const ids: number[] = [];
    for (const byte of encoder.encode(text)) {
      const id = idOfByte.get(byte);
      if (id === undefined) return unknown;
      ids.push(id);
    }
    return ids;
  };
}

/** `String.prototype.toWellFormed`, which is younger than the oldest runtime supported. */
function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
