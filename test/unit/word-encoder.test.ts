import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildMerges, type MergeTable } from "#dist/text/merges.js";
import { knownPreTokenizers, findPreTokenizer } from "#dist/text/pre-tokenizers.js";
import { drain } from "#dist/text/slices.js";
import { readVocabulary } from "#dist/text/vocabulary.js";
import { createWordEncoder } from "#dist/text/word-encoder.js";
import { createByteWordSplitter, createCharacterWordSplitter } from "#dist/text/words.js";
import { encodeByDefinition } from "../reference/byte-pair-encoding.js";
import { byteVocabulary, pieceVocabulary } from "../support/small-vocabularies.js";

const alphabet = ["a", "b", "▁", "é", "😁"];
const word = fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 60 });

/** Encodes to texts, a character without a token as itself, word by word or by long-word.ts. */
function encode(
  merges: MergeTable,
  vocabSize: number,
  text: string,
  longWordLength: number,
): readonly string[] {
  const unknown: string[] = [];
  const fallback = (character: string): readonly number[] => [vocabSize + unknown.push(character) - 1];
  const encoder = createWordEncoder({ merges, vocabSize, ignoreMerges: false, fallback, longWordLength });
  const ids: number[] = [];
  drain(encoder.encode([text], ids));
  return ids.map((id) => (id < vocabSize ? merges.texts[id] : unknown[id - vocabSize]) ?? "?");
}

describe("word encoder, by word-encoder.ts and by long-word.ts, equals byte-pair encoding by definition", () => {
  test("for listed merges, pairs listed twice among them", () => {
    const grow = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 25 }).map((pairs) => {
      const tokens = ["a", "b"];
      return pairs.map(([left, right]) => {
        const merge = [tokens[left % tokens.length] ?? "", tokens[right % tokens.length] ?? ""] as const;
        if (merge.join("").length < 12) tokens.push(merge.join(""));
        return merge.join("").length < 12 ? merge.join(" ") : "a b";
      });
    });
    const ab = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 60 });
    fc.assert(
      fc.property(grow, ab, (merges, text) => {
        const metadata = byteVocabulary(merges);
        const table = buildMerges(readVocabulary(metadata));
        const expected = encodeByDefinition(text, table);
        expect(encode(table, table.texts.length, text, 0)).toEqual(expected);
        expect(encode(table, table.texts.length, text, Infinity)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("for scores, equal ones and pieces of letters that are no tokens among them", () => {
    const piece = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 5 });
    const pieces = fc.array(fc.tuple(piece, fc.integer({ min: -4, max: 0 })), { maxLength: 40 });
    fc.assert(
      fc.property(pieces, word, (vocabulary, text) => {
        const read = readVocabulary(pieceVocabulary(vocabulary));
        const table = buildMerges(read);
        const expected = encodeByDefinition(text, table);
        expect(encode(table, read.tokens.length, text, 0)).toEqual(expected);
        expect(encode(table, read.tokens.length, text, Infinity)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

test("SentencePiece words give the ids of the whole text", () => {
  const piece = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 5 });
  const pieces = fc.array(fc.tuple(piece, fc.integer({ min: -40, max: 0 })), { maxLength: 40 });
  fc.assert(
    fc.property(pieces, word, fc.boolean(), (vocabulary, text, marksOnlyFirst) => {
      const kept = vocabulary.filter(([candidate]) => !marksOnlyFirst || !/[^▁]▁/.test(candidate));
      const read = readVocabulary(pieceVocabulary(kept));
      const table = buildMerges(read);
      const words = [...createCharacterWordSplitter(table.symbols.keys())(text)].flat();
      expect(words.join("")).toBe(text);
      const apart = words.flatMap((part) => encode(table, read.tokens.length, part, Infinity));
      expect(apart).toEqual(encode(table, read.tokens.length, text, Infinity));
    }),
    { numRuns: 500 },
  );
});

describe("splitters", () => {
  const split = (name: string, text: string): readonly string[] => {
    const preTokenizer = findPreTokenizer(name);
    if (preTokenizer === undefined) throw new Error(name);
    return [...createByteWordSplitter(preTokenizer)(text)].flat();
  };

  test.each(knownPreTokenizers.map((preTokenizer) => [preTokenizer.names[0] ?? "", preTokenizer] as const))(
    "%s loses nothing of any text",
    (_, preTokenizer) => {
      const splitter = createByteWordSplitter(preTokenizer);
      const part = fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom(" ", "\n", "\r\n", "12345", "don't", "…", "\u0085"),
      );
      const text = fc
        .array(part, { maxLength: 10 })
        .map((parts) => parts.join("").replace(/\p{Surrogate}/gu, "?"));
      fc.assert(
        fc.property(text, (sample) => {
          expect([...splitter(sample)].flat().join("")).toBe(sample);
        }),
      );
    },
  );

  test.each([
    ["llama-bpe", "I'M 12345 (c).\n\n  x", ["I", "'M", " ", "123", "45", " (", "c", ").\n\n", " ", " x"]],
    ["qwen2", "12 a", ["1", "2", " a"]],
    ["gpt-2", "I'm 12345 (c).\n\nx", ["I", "'m", " 12345", " (", "c", ").", "\n", "\n", "x"]],
    ["default", "I'm 12345 (c)", ["I", "'", "m", " ", "123", "45", " ", "(", "c", ")"]],
    ["starcoder", "a 12", ["a", " ", "1", "2"]],
    ["falcon", "a`b 1234", ["a", "`", "b", " ", "123", "4"]],
    // U+FEFF is no white space although JavaScript's \s has it; U+0085 is although \s has not.
    ["llama-bpe", "a\ufeffb\u0085\u0085c", ["a", "\ufeffb", "\u0085", "\u0085c"]],
  ] as const)("%s cuts %j", (name, text, words) => {
    expect(split(name, text)).toEqual(words);
  });
});
