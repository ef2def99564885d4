import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Config } from "#dist/checkpoints/config.js";
import { readTokenizerJson } from "#dist/checkpoints/tokenizer-json.js";
import { BitNetError } from "#dist/index.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { starterPath } from "../support/golden-path.js";
import { metadataOf } from "../support/metadata-of.js";
import { pieceVocabulary } from "../support/small-vocabularies.js";
import {
  bytes,
  type Files,
  filesOf,
  type Json,
  metadataOfFiles,
  sizeOf,
  tokenizerOf,
} from "../support/tokenizer-files.js";

const pieceScores: readonly (readonly [string, number])[] = [
  ["▁", -1],
  ["a", -2],
  ["b", -3],
  ["c", -4],
  ["ab", -5],
  ["bc", -6],
  ["abc", -7],
  ["▁a", -8],
  ["▁abc", -9],
  ["aa", -10],
];
const pieceIds = { "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2 };
const pieces = pieceVocabulary(pieceScores, { userDefined: ["<b>"], entries: pieceIds });
const plainPieces = pieceVocabulary(pieceScores, { entries: pieceIds });

describe("readTokenizer", () => {
  it.each([
    ["bytes", bytes],
    ["pieces", pieces],
  ])("gives the ids of the vocabulary that it was made of: %s", async (_, metadata) => {
    const [expected, actual] = [createTokenizer(metadata), await tokenizerOf(filesOf(metadata))];
    const special = [...(metadata.get("tokenizer.ggml.tokens") as readonly string[])].filter((token) =>
      /^<.*>$/.test(token),
    );
    const parts = fc.oneof(
      fc.constantFrom(...special, " ", "  ", "abc", "hello", " world", "aaaa"),
      fc.string({ unit: "binary" }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(parts), fc.boolean(), async (list, parseSpecial) => {
        const text = list.join("");
        expect(actual.encode(text, { parseSpecial })).toEqual(expected.encode(text, { parseSpecial }));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["the storyteller's", () => metadataOf(starterPath)],
    ["a small one of pieces", async () => plainPieces],
  ])("encodes as the tokenizers library does from the same file: %s", async (_, metadata) => {
    const files = filesOf(await metadata());
    const library = new LibraryTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]);
    const tokenizer = await tokenizerOf(files);
    for (const text of [
      "Once upon a time, there were 12345 ants.",
      "abc abcabc a b c",
      " a",
      "naïve 日本語 🦜",
      "x\n\n  y\t'LL don't",
    ]) {
      expect(tokenizer.encode(text), text).toEqual(library.encode(text).ids);
    }
  });

  // Published files' own words for how they cut text; ids follow from the name.
  const llama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const split = (
    expression: string,
    behavior = "Isolated",
    options: { readonly invert?: boolean } = {},
  ): Json => ({
    type: "Split",
    pattern: { Regex: expression },
    behavior,
    invert: options.invert ?? false,
  });
  const level = (options: { readonly usesRegex: boolean }): Json => ({
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: options.usesRegex,
  });
  const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });
  it.each<[string, Json, boolean, string]>([
    ["Llama 3", sequence(split(llama3), level({ usesRegex: false })), true, "llama-bpe"],
    [
      "Llama 3, its matches kept by removing the rest",
      sequence(split(llama3, "Removed", { invert: true }), level({ usesRegex: false })),
      true,
      "llama-bpe",
    ],
    ["Llama 3 by other merges", sequence(split(llama3), level({ usesRegex: false })), false, "dbrx"],
    [
      "Qwen 2",
      sequence(split(llama3.replace("\\p{N}{1,3}", "\\p{N}")), level({ usesRegex: false })),
      false,
      "qwen2",
    ],
    ["GPT-2", level({ usesRegex: true }), false, "gpt-2"],
    [
      "StarCoder",
      sequence({ type: "Digits", individual_digits: true }, level({ usesRegex: true })),
      false,
      "starcoder",
    ],
    [
      "Falcon",
      sequence(
        { type: "Punctuation", behavior: "Contiguous" },
        level({ usesRegex: true }),
        { type: "Digits", individual_digits: false },
        split("[0-9][0-9][0-9]"),
      ),
      false,
      "falcon",
    ],
  ])("names the splitter of %s", async (_, preTokenizer, ignoreMerges, name) => {
    const files = filesOf(bytes);
    files["tokenizer.json"].pre_tokenizer = preTokenizer;
    files["tokenizer.json"].model.ignore_merges = ignoreMerges;
    expect((await metadataOfFiles(files)).get("tokenizer.ggml.pre")).toBe(name);
  });

  it.each<[string, string, RegExp, (files: Files) => void]>([
    [
      "another splitter",
      "UNSUPPORTED_TOKENIZER",
      /none that is known.*x\+/,
      (f) => (f["tokenizer.json"].pre_tokenizer = sequence(split("x+"), level({ usesRegex: false }))),
    ],
    [
      "GPT-2's words with ignore_merges",
      "UNSUPPORTED_TOKENIZER",
      /ignore_merges/,
      (f) => {
        f["tokenizer.json"].pre_tokenizer = level({ usesRegex: true });
      },
    ],
    [
      "merged splits",
      "UNSUPPORTED_TOKENIZER",
      /MergedWithNext/,
      (f) =>
        (f["tokenizer.json"].pre_tokenizer = sequence(
          split(llama3, "MergedWithNext"),
          level({ usesRegex: false }),
        )),
    ],
    [
      "a space before every text",
      "UNSUPPORTED_TOKENIZER",
      /space before/,
      (f) => (f["tokenizer.json"].pre_tokenizer = { ...level({ usesRegex: true }), add_prefix_space: true }),
    ],
    [
      "an unknown step",
      "UNSUPPORTED_TOKENIZER",
      /BertPreTokenizer/,
      (f) =>
        (f["tokenizer.json"].pre_tokenizer = sequence(
          { type: "BertPreTokenizer" },
          level({ usesRegex: false }),
        )),
    ],
    [
      "a normalizer that changes texts",
      "UNSUPPORTED_TOKENIZER",
      /NFC/,
      (f) => (f["tokenizer.json"].normalizer = { type: "Lowercase" }),
    ],
    [
      "word pieces",
      "UNSUPPORTED_TOKENIZER",
      /WordPiece/,
      (f) => (f["tokenizer.json"].model.type = "WordPiece"),
    ],
    [
      "a subword prefix",
      "UNSUPPORTED_TOKENIZER",
      /continuing_subword_prefix/,
      (f) => (f["tokenizer.json"].model.continuing_subword_prefix = "##"),
    ],
    ["no merges", "UNSUPPORTED_TOKENIZER", /BPE|byte-pair/, (f) => delete f["tokenizer.json"].model.merges],
    ["no model", "MODEL_INVALID", /model/, (f) => delete (f["tokenizer.json"] as Json).model],
    ["a vocabulary that is a list", "MODEL_INVALID", /vocab/, (f) => (f["tokenizer.json"].model.vocab = [])],
    [
      "an id that is no number",
      "MODEL_INVALID",
      /"q"/,
      (f) => (f["tokenizer.json"].model.vocab = { q: "1" }),
    ],
    ["a negative id", "MODEL_INVALID", /-1/, (f) => (f["tokenizer.json"].model.vocab = { q: -1 })],
    [
      "an id for two tokens",
      "MODEL_INVALID",
      /both have the id 0/,
      (f) => Object.assign(f["tokenizer.json"].model.vocab as Json, { twin: 0 }),
    ],
    [
      "an added token at another's place",
      "MODEL_INVALID",
      /both have the id 5/,
      (f) => f["tokenizer.json"].added_tokens.push({ id: 5, content: "<new>" }),
    ],
    [
      "an added token without content",
      "MODEL_INVALID",
      /content/,
      (f) => f["tokenizer.json"].added_tokens.push({ id: 5 }),
    ],
    ["a merge of one part", "MODEL_INVALID", /merge 0/, (f) => (f["tokenizer.json"].model.merges = ["ab"])],
    [
      "a merge of three parts",
      "MODEL_INVALID",
      /merge 0/,
      (f) => (f["tokenizer.json"].model.merges = [["a", "b", "c"]]),
    ],
    [
      "a merge with a space in it",
      "MODEL_INVALID",
      /space/,
      (f) => (f["tokenizer.json"].model.merges = [["a ", "b"]]),
    ],
    [
      "settings that are no flags",
      "MODEL_INVALID",
      /add_bos_token/,
      (f) => (f["tokenizer_config.json"].add_bos_token = "yes"),
    ],
  ])("refuses a byte-level file with %s", async (_, code, words, change) => {
    const files = filesOf(bytes);
    const vocabSize = sizeOf(files);
    change(files);
    const error: unknown = await metadataOfFiles(files, { vocabSize }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BitNetError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(words) as string });
  });

  it.each<[string, RegExp, (files: Files) => void]>([
    [
      "merges that leave cuts out, as other trainers list them",
      /lists 7 of the 8 merges/,
      (f) => (f["tokenizer.json"].model.merges as string[]).splice(2, 1),
    ],
    ["another normalizer", /NFKC/, (f) => (f["tokenizer.json"].normalizer = { type: "NFKC" })],
    [
      "spaces that are left as they are",
      /neither byte-level/,
      (f) => (f["tokenizer.json"].normalizer = null),
    ],
    [
      "a split at something else",
      /Split/,
      (f) => (f["tokenizer.json"].pre_tokenizer = { type: "Split", pattern: { String: "x" } }),
    ],
  ])("refuses a file of pieces with %s", async (_, words, change) => {
    const files = filesOf(pieces);
    change(files);
    await expect(metadataOfFiles(files)).rejects.toMatchObject({
      code: "UNSUPPORTED_TOKENIZER",
      message: expect.stringMatching(words) as string,
    });
  });

  it("takes merges as pairs, as newer files list them", async () => {
    const files = filesOf(bytes);
    const { model } = files["tokenizer.json"];
    model.merges = (model.merges as string[]).map((merge) => merge.split(" "));
    expect(await metadataOfFiles(files)).toEqual(await metadataOfFiles(filesOf(bytes)));
  });

  it.each<[string, unknown, unknown, boolean]>([
    [
      "a normalizer that prepends",
      {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      null,
      true,
    ],
    [
      "a normalizer that only replaces",
      { type: "Replace", pattern: { String: " " }, content: "▁" },
      null,
      false,
    ],
    [
      "Gemma's split after it",
      { type: "Replace", pattern: { String: " " }, content: "▁" },
      { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious" },
      false,
    ],
    ["Metaspace, old", null, { type: "Metaspace", replacement: "▁", add_prefix_space: true }, true],
    [
      "Metaspace, first",
      null,
      { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
      true,
    ],
    [
      "Metaspace, never",
      null,
      { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: false },
      false,
    ],
  ])("knows whether a space stands before a text: %s", async (_, normalizer, preTokenizer, expected) => {
    const files = filesOf(pieces);
    Object.assign(files["tokenizer.json"], { normalizer, pre_tokenizer: preTokenizer });
    expect((await metadataOfFiles(files)).get("tokenizer.ggml.add_space_prefix")).toBe(expected);
  });

  it("takes an added token of spaces as merges make it, and where the text has the marks themselves", async () => {
    const files = filesOf(pieces);
    const { model } = files["tokenizer.json"];
    const id = sizeOf(files);
    (model.vocab as Json)["▁▁"] = id;
    files["tokenizer.json"].added_tokens.push({ id, content: "▁▁", special: false });
    const unmerged = await tokenizerOf(files);
    (model.merges as string[]).unshift("▁ ▁");
    const merged = await tokenizerOf(files);
    const ids = (tokenizer: Tokenizer, text: string): number[] =>
      tokenizer.encode(text, { addSpecial: false });
    // As tokenizers 0.23.3 from PyPI gives them; the model's own prefix is the first mark.
    expect(ids(merged, "a▁▁b")).toContain(id);
    expect(ids(unmerged, "a▁▁b")).toContain(id);
    expect(ids(merged, "a  b")).toContain(id);
    expect(ids(unmerged, "a  b")).not.toContain(id);
  });

  it("fills ids that no token has, and counts by the embedding", async () => {
    const files = filesOf(bytes);
    const tokenizer = await tokenizerOf(files, { vocabSize: sizeOf(files) + 3 });
    expect(tokenizer.vocabSize).toBe(sizeOf(files) + 3);
    expect(tokenizer.tokenBytes(sizeOf(files) + 1).length).toBe(0);
  });

  it("keeps marks that are listed as ordinary tokens out of users' texts", async () => {
    const files = filesOf(bytes);
    const id = sizeOf(files);
    files["tokenizer.json"].added_tokens.push({ id, content: "<|im_start|>", special: false });
    const tokenizer = await tokenizerOf(files);
    expect(tokenizer.encode("<|im_start|>")).not.toContain(id);
    expect(tokenizer.encode("<|im_start|>", { parseSpecial: true })).toContain(id);
    expect(tokenizer.encode("<think>").length).toBe(2);
  });

  it("refuses a vocabulary too large to be one before it makes room for it", () => {
    const tokenizer = new Config("folder", "tokenizer.json", filesOf(bytes)["tokenizer.json"]);
    expect(() => readTokenizerJson(tokenizer, 2 ** 32 - 1)).toThrow(/too large/);
  });
});
