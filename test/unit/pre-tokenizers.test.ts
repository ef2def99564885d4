import { describe, expect, it } from "vitest";
import { findPreTokenizer, knownPreTokenizers } from "#dist/text/pre-tokenizers.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { createByteWordSplitter } from "#dist/text/words.js";
import { byteVocabulary, pieceVocabulary } from "../support/small-vocabularies.js";

// Splits by hand from the expressions in llama.cpp's llama-vocab.cpp, and in the tokenizer.json files that it
// cites.

function split(name: string, text: string): readonly string[] {
  const preTokenizer = findPreTokenizer(name);
  if (preTokenizer === undefined) throw new Error(`no splitter "${name}"`);
  return [...createByteWordSplitter(preTokenizer)(text)].flat();
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  // Qwen: every digit by itself, contractions in either case, line breaks with the space before them.
  ["qwen2", "Hello world 1234", ["Hello", " world", " ", "1", "2", "3", "4"]],
  ["qwen2", "it's IT'S we'Ll", ["it", "'s", " IT", "'S", " we", "'Ll"]],
  ["qwen2", "a  b\n\n  c \n d", ["a", " ", " b", "\n\n", " ", " c", " \n", " d"]],
  ["qwen2", "x=(y+1);\r\n// 日本語abc", ["x", "=(", "y", "+", "1", ");\r\n", "//", " 日本語abc"]],
  ["qwen2", "$abc _def tab\tx", ["$abc", " _", "def", " tab", "\tx"]],
  // A mark is no letter for Qwen 2, and one for Qwen 3.5.
  ["qwen2", "नमस्ते", ["नमस", "्त", "े"]],
  ["qwen35", "नमस्ते 12", ["नमस्ते", " ", "1", "2"]],
  // Llama 3, Falcon 3 and Falcon-E: digits in threes from the left.
  ...["llama-bpe", "falcon3", "falcon_e"].flatMap(
    (name): readonly (readonly [string, string, string[]])[] => [
      [name, "1234567 89", ["123", "456", "7", " ", "89"]],
      [name, "They're  here!\n", ["They", "'re", " ", " here", "!\n"]],
    ],
  ),
  // Falcon's first: punctuation apart, digits in threes only where there are three.
  ["falcon", "a1234, b", ["a", "123", "4", ",", " b"]],
];

describe("pre-tokenizers", () => {
  it.each(cases)("%s cuts %j", (name, text, words) => {
    expect(split(name, text)).toEqual(words);
  });

  it("have each name once", () => {
    const names = knownPreTokenizers.flatMap((preTokenizer) => preTokenizer.names);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("tokenizers of the model families", () => {
  it("Qwen's adds no BOS, and EOS where the file asks for it", () => {
    const metadata = byteVocabulary([], {
      entries: { "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.add_eos_token": true },
    });
    expect(createTokenizer(metadata).encode("!")).toEqual([0x21, 257]);
  });

  it("Gemma's joins by scores, keeps spaces where they are, and finds whole runs of line breaks", () => {
    // Scores as converters write them: minus the rank of the merge. Runs of line breaks are separate tokens.
    const pieces = ["▁t", "he", "▁the", "▁", "t", "h", "e", "a"].map(
      (piece, rank) => [piece, -rank] as const,
    );
    const tokenizer = createTokenizer(
      pieceVocabulary(pieces, {
        userDefined: ["\n\n", "\n"],
        entries: {
          "tokenizer.ggml.add_space_prefix": false,
          "tokenizer.ggml.bos_token_id": 1,
          "tokenizer.ggml.eos_token_id": 2,
        },
      }),
    );
    const text = "the the\n\n\na";
    const ids = tokenizer.encode(text);
    expect(ids.map((id) => tokenizer.decode([id]))).toEqual(["", "t", "he", " the", "\n\n", "\n", "a"]);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it("a SentencePiece vocabulary under the name of byte-level BPE is refused, and not stripped of its spaces", () => {
    const metadata = new Map(byteVocabulary([]));
    metadata.set("tokenizer.ggml.tokens", ["<pad>", "▁the", "▁", "t", "h", "e"]);
    metadata.set("tokenizer.ggml.token_type", Int32Array.of(3, 1, 1, 1, 1, 1));
    expect(() => createTokenizer(metadata)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_TOKENIZER", message: expect.stringContaining("space") }),
    );
  });
});
