import { BitNetError } from "../errors.js";
import type { Metadata } from "../files/model-file.js";
import {
  createSpecialCutter,
  type MayStand,
  type SpecialCutter,
  type SpecialToken,
} from "./special-tokens.js";
import { changeInSteps, drain, inSlices, type SliceOptions, type Steps } from "./slices.js";
import { createTextEncoder } from "./text-encoder.js";
import { createTokenBytes } from "./token-bytes.js";
import { readVocabulary, tokenTypes, type Vocabulary } from "./vocabulary.js";
import { spaceMark } from "./token-spelling.js";

/** Options of `model.tokenize`. */
export interface EncodeOptions {
  /** Whether to add BOS and EOS if the model wants them. Default: true. */
  readonly addSpecial?: boolean | undefined;
  /**
   * Whether the spelling of a control token, such as `<|eot_id|>`, is that token. Default: false. Text from
   * users must not end a turn or begin a system prompt.
   */
  readonly parseSpecial?: boolean | undefined;
}

/** A piece of a text, and whether the spelling of a control token in it is that token. */
export interface TextPart {
  readonly text: string;
  readonly parseSpecial: boolean;
}

export interface DecodeOptions {
  /** Whether control tokens have no text. False spells them. Default: true. */
  readonly skipSpecial?: boolean | undefined;
}

/** Turns text into token ids and back, as in the model's training. Immutable. */
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
  /** Whether `encode` adds a space before a text, and `decode` drops it again. */
  readonly dropsFirstSpace: boolean;
  /**
   * Surrogates without their other half become U+FFFD.
   * @throws BitNetError INVALID_ARGUMENT if `text` is not a string.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Ids of a text in parts. Each part says whether it may spell control tokens. All parts together are one
   * text. No BOS and no EOS are added.
   */
  encodeParts(parts: readonly TextPart[]): number[];
  /** Cuts a text at every spelling of a control token: strings are text, numbers are ids. */
  cutControls(text: string): readonly (string | number)[];
  /**
   * As `encode`, in slices of about 5 ms. Other events run between slices. Regular expressions and Unicode
   * normalization are not cut. A million letters without a break took 15 ms in one slice, and half a million
   * emoji 60 ms.
   *
   * @throws The signal's reason, and as `encode`.
   */
  encodeAsync(text: string, options?: EncodeOptions & SliceOptions): Promise<number[]>;
  /** As `encodeParts`, in such slices. */
  encodePartsAsync(parts: readonly TextPart[], options?: SliceOptions): Promise<number[]>;
  /**
   * Bytes that are not UTF-8 become U+FFFD.
   * @throws BitNetError INVALID_ARGUMENT for a number that is not a token id.
   */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** As `decode`, in slices as in `encodeAsync`. */
  decodeAsync(ids: Iterable<number>, options?: DecodeOptions & SliceOptions): Promise<string>;
  /**
   * The bytes of one token. They may be part of a character. Control tokens have none unless `skipSpecial` is
   * false. The array is shared: do not write to it.
   * @throws BitNetError INVALID_ARGUMENT for a number that is not a token id.
   */
  tokenBytes(id: number, options?: DecodeOptions): Uint8Array;
  /** Whether a token is no text: a control token or the unknown token. */
  isControl(id: number): boolean;
}

/**
 * Builds a tokenizer from a GGUF file's metadata.
 *
 * Ids equal llama.cpp's, and those of Hugging Face's tokenizers for the metadata of a checkpoint. There is
 * one exception. If a vocabulary has the halves of a control token's spelling, llama.cpp can make the token
 * from a user's text. This tokenizer cannot. Decoding adds and removes no spaces around punctuation.
 * @throws BitNetError UNSUPPORTED_TOKENIZER for an unknown kind or splitter; MODEL_INVALID for contradictory
 *   tables.
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const vocabulary = readVocabulary(metadata);
  const { tokens, types, bosId, eosId, addBos, addEos, settings } = vocabulary;
  const dropsFirstSpace =
    settings.prepend === undefined ? vocabulary.addSpacePrefix : settings.prepend !== "never";
  const encodeText = createTextEncoder(vocabulary);
  const bytesOf = createTokenBytes(vocabulary);

  const cutters = createCutters(vocabulary);
  const isControl = (id: number): boolean =>
    types[id] === tokenTypes.control || types[id] === tokenTypes.unknown;

  const tokenBytes = (id: number, { skipSpecial = true }: DecodeOptions = {}): Uint8Array => {
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot decode: ${String(id)} is not a token id (expected an integer from 0 to ${tokens.length - 1})`,
        { details: { tokenId: id } },
      );
    }
    return skipSpecial && isControl(id) ? noBytes : bytesOf(id);
  };

  function* encodePieces(pieces: readonly (string | number)[], ids: number[]): Steps<void> {
    for (const [index, piece] of pieces.entries()) {
      if (typeof piece === "number") ids.push(piece);
      else yield* encodeText(piece, index === 0, ids);
    }
  }

  function* encodeSteps(
    text: string,
    { addSpecial = true, parseSpecial = false }: EncodeOptions = {},
  ): Steps<number[]> {
    if (typeof text !== "string") {
      throw new BitNetError("INVALID_ARGUMENT", `Cannot encode: text is ${typeof text}, expected a string`);
    }
    const ids: number[] = [];
    if (addSpecial && addBos && bosId !== undefined) ids.push(bosId);
    const cut = parseSpecial ? cutters.onRequest : cutters.always;
    yield* encodePieces(yield* cut(yield* changeInSteps(text, toWellFormed)), ids);
    if (addSpecial && addEos && eosId !== undefined) ids.push(eosId);
    return ids;
  }

  function* partSteps(parts: readonly TextPart[]): Steps<number[]> {
    const text = parts.map((part) => part.text).join("");
    const isPlain = new Uint8Array(text.length);
    let end = 0;
    for (const part of parts) {
      end += part.text.length;
      if (!part.parseSpecial) isPlain.fill(1, end - part.text.length, end);
    }
    // Tokens that users may spell stand anywhere, also across parts.
    const mayStand: MayStand = ({ id }, from, to) =>
      types[id] === tokenTypes.userDefined || !isPlain.subarray(from, to).includes(1);
    const ids: number[] = [];
    const wellFormed = yield* changeInSteps(text, toWellFormed);
    yield* encodePieces(yield* cutters.onRequest(wellFormed, mayStand), ids);
    return ids;
  }

  function* decodeSteps(ids: Iterable<number>, options: DecodeOptions = {}): Steps<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const id of ids) {
      const part = tokenBytes(id, options);
      length += part.length;
      if (parts.push(part) % idsPerStep === 0) yield;
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const begin = dropsFirstSpace && bytes[0] === spaceByte ? 1 : 0;
    // A byte order mark stays in the text.
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(begin));
  }

  return {
    vocabSize: tokens.length,
    bosId,
    eosId,
    addsEos: addEos && eosId !== undefined,
    endOfGenerationIds: vocabulary.endOfGenerationIds,
    chatTemplate: vocabulary.chatTemplate,
    dropsFirstSpace,
    isControl,
    tokenBytes,
    cutControls: (text) => drain(cutters.controls(text)),

    encode: (text, options) => drain(encodeSteps(text, options)),
    encodeAsync: (text, options) => inSlices(encodeSteps(text, options), options),
    encodeParts: (parts) => drain(partSteps(parts)),
    encodePartsAsync: (parts, options) => inSlices(partSteps(parts), options),

    decode: (ids, options) => drain(decodeSteps(ids, options)),
    decodeAsync: (ids, options) => inSlices(decodeSteps(ids, options), options),
  };
}

const noBytes = new Uint8Array(0);
const spaceByte = 0x20;
/** About a millisecond. */
const idsPerStep = 4096;

/** Cutters at user-defined tokens, at these and control tokens, and at control tokens alone. */
function createCutters({ kind, tokens, types, settings }: Vocabulary): {
  readonly always: SpecialCutter;
  readonly onRequest: SpecialCutter;
  readonly controls: SpecialCutter;
} {
  const specials = tokens.flatMap((text, id): readonly SpecialToken[] => {
    if (text === "" || settings.normalized.has(id)) return [];
    const special: SpecialToken = {
      id,
      text,
      stripsLeft: settings.stripsLeft.has(id),
      stripsRight: settings.stripsRight.has(id),
      singleWord: settings.singleWord.has(id),
    };
    // Such a file spells spaces as marks, and means marks.
    const isMarked = settings.exact && kind === "characters" && types[id] === tokenTypes.userDefined;
    return [isMarked ? { ...special, text: text.replaceAll(" ", spaceMark) } : special];
  });
  const always = specials.filter(({ id }) => types[id] === tokenTypes.userDefined);
  const onRequest = specials.filter(
    ({ id }) => types[id] === tokenTypes.control || types[id] === tokenTypes.unknown,
  );
  return {
    always: createSpecialCutter(always),
    onRequest: createSpecialCutter([...always, ...onRequest]),
    controls: createSpecialCutter(onRequest),
  };
}

/** `String.prototype.toWellFormed`. The oldest runtime supported does not have it. */
function toWellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
