import { buildMerges } from "./merges.js";
import { defaultPreTokenizer } from "./pre-tokenizers.js";
import { changeInSteps, type Steps } from "./slices.js";
import { createSpecialCutter } from "./special-tokens.js";
import { spaceMark } from "./token-spelling.js";
import { tokenTypes, type Vocabulary } from "./vocabulary.js";
import { createWordEncoder } from "./word-encoder.js";
import {
  createByteSpeller,
  createByteWordSplitter,
  createCharacterWordSplitter,
  splitAtMarks,
} from "./words.js";

/**
 * Appends the ids of a text between special tokens.
 *
 * @param beginsText Whether no special token and no other text is before it.
 */
export type TextEncoderOfVocabulary = (text: string, beginsText: boolean, ids: number[]) => Steps<void>;

export function createTextEncoder(vocabulary: Vocabulary): TextEncoderOfVocabulary {
  return vocabulary.kind === "bytes" ? createByteEncoder(vocabulary) : createPieceEncoder(vocabulary);
}

function createByteEncoder(vocabulary: Vocabulary): TextEncoderOfVocabulary {
  const { preTokenizer = defaultPreTokenizer, settings } = vocabulary;
  const split = createByteWordSplitter(preTokenizer);
  const encoder = createWordEncoder({
    merges: buildMerges(vocabulary),
    vocabSize: vocabulary.tokens.length,
    ignoreMerges: preTokenizer.ignoreMerges,
    spell: createByteSpeller(),
    // A byte-level vocabulary without a letter for some byte cannot say that byte. llama.cpp leaves it out
    // too.
    fallback: () => [],
  });
  return function* (text, _, ids): Steps<void> {
    for (const words of split(settings.nfc ? text.normalize("NFC") : text)) {
      yield* encoder.encode(words, ids);
      yield;
    }
  };
}

function createPieceEncoder(vocabulary: Vocabulary): TextEncoderOfVocabulary {
  const { settings, addSpacePrefix, tokens, types } = vocabulary;
  const merges = buildMerges(vocabulary);
  const encoder = createWordEncoder({
    merges,
    vocabSize: tokens.length,
    ignoreMerges: false,
    fallback: createByteFallback(vocabulary),
  });
  const split = settings.splitsMarks ? splitAtMarks : createCharacterWordSplitter(merges.symbols.keys());
  const mark = (text: string): string => text.replaceAll(" ", spaceMark);
  const { prepend = addSpacePrefix ? "unless empty" : "never" } = settings;
  const marksBefore = (text: string, beginsText: boolean): boolean => {
    if (prepend === "unless empty") return true;
    // Metaspace puts no second mark before a text that begins with one.
    return prepend !== "never" && (beginsText || prepend === "always") && !text.startsWith(spaceMark);
  };
  const afterwards = createSpecialCutter(
    tokens.flatMap((text, id) =>
      settings.normalized.has(id) && types[id] === tokenTypes.userDefined
        ? [{ id, text: (addSpacePrefix ? spaceMark : "") + mark(text) }]
        : [],
    ),
  );
  return function* (text, beginsText, ids): Steps<void> {
    const marked = yield* changeInSteps(text, mark);
    for (const piece of yield* afterwards(marksBefore(marked, beginsText) ? spaceMark + marked : marked)) {
      if (typeof piece === "number") {
        ids.push(piece);
        continue;
      }
      for (const words of split(piece)) {
        yield* encoder.encode(words, ids);
        yield;
      }
    }
  };
}

const maxKnownCharacters = 4096;

/** Characters that no token has: as byte tokens, or as the unknown token where a byte has no token. */
function createByteFallback(vocabulary: Vocabulary): (text: string) => readonly number[] {
  const idOfByte = new Map<number, number>();
  vocabulary.tokens.forEach((token, id) => {
    if (vocabulary.types[id] === tokenTypes.byte) idOfByte.set(parseInt(token.slice(3, 5), 16), id);
  });
  const unknown = vocabulary.unknownId === undefined ? [] : [vocabulary.unknownId];
  const encoder = new TextEncoder();
  const spell = (text: string): readonly number[] => {
    const ids: number[] = [];
    for (const byte of encoder.encode(text)) {
      const id = idOfByte.get(byte);
      if (id === undefined) return unknown;
      ids.push(id);
    }
    return ids;
  };
  // A text in a script that the vocabulary lacks has few characters, many times.
  const known = new Map<string, readonly number[]>();
  return (text) => {
    let ids = known.get(text);
    if (ids === undefined) {
      ids = spell(text);
      if (known.size < maxKnownCharacters) known.set(text, ids);
    }
    return ids;
  };
}
