import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Metadata } from "#dist/files/model-file.js";
import { createTextStream } from "#dist/text/text-stream.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary, pieceVocabulary } from "../support/small-vocabularies.js";

const byteMerges = [
  "h e",
  "l l",
  "he ll",
  "hell o",
  "Ġ w",
  "o r",
  "Ġw or",
  "a a",
  "aa aa",
  "Ã ©",
  "Ġ (",
  "< s",
  "<s >",
];
const pieces = [
  "▁",
  "a",
  "b",
  "aa",
  "ab",
  "▁a",
  "▁▁",
  "<",
  "s",
  ">",
  "/",
  "<s",
  "s>",
  "</",
  "é",
  "日",
  "\n",
].map((piece, index) => [piece, -index] as const);
const marks = ["<s>", "</s>", "<unk>", "<|bos|>", "<|eos|>", "<0x41>"];

const tokenizers = [
  {
    kind: "byte-level",
    tokenizer: createTokenizer(byteVocabulary(byteMerges, { controls: ["<|bos|>", "<|eos|>", "</s>"] })),
  },
  { kind: "SentencePiece", tokenizer: createTokenizer(pieceVocabulary(pieces)) },
  {
    kind: "SentencePiece without space prefix",
    tokenizer: createTokenizer(
      pieceVocabulary(pieces, { entries: { "tokenizer.ggml.add_space_prefix": false } }),
    ),
  },
];

/** Text of all sorts, but the space mark, which SentencePiece cannot tell from a space. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        " ",
        "  ",
        "\n",
        "a",
        "aaa",
        "ab",
        "hello",
        " world",
        "é",
        "日本",
        "😁",
        "\u0085",
        "\ufeff",
        ...marks,
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join("").replaceAll("▁", "_"));

describe.each(tokenizers)("$kind tokenizer", ({ tokenizer }) => {
  test("decode gives back what was encoded", () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (text, addSpecial) => {
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecial }))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test("encode never makes a control token of text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const id of tokenizer.encode(text, { addSpecial: false }))
          expect(tokenizer.isControl(id)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test("a text stream gives what decode gives, for any ids", () => {
    const ids = fc.array(fc.integer({ min: 0, max: tokenizer.vocabSize - 1 }), { maxLength: 40 });
    fc.assert(
      fc.property(ids, fc.boolean(), (sequence, skipSpecial) => {
        const stream = createTextStream(tokenizer, { skipSpecial });
        const pieces = sequence.map((id) => stream.push(id));
        pieces.push(stream.flush());
        expect(pieces.join("")).toBe(tokenizer.decode(sequence, { skipSpecial }));
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 1000 },
    );
  });

  test("encodeAsync gives what encode gives, and lets other events have their turn", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, fc.boolean(), async (text, parseSpecial) => {
        expect(await tokenizer.encodeAsync(text, { parseSpecial, sliceMs: 0 })).toEqual(
          tokenizer.encode(text, { parseSpecial }),
        );
      }),
      { numRuns: 50 },
    );
    for (const long of ["hello world ab ".repeat(20_000), "ab".repeat(100_000)]) {
      let turns = 0;
      const timer = setInterval(() => (turns += 1));
      expect(await tokenizer.encodeAsync(long, { sliceMs: 0 })).toEqual(tokenizer.encode(long));
      clearInterval(timer);
      expect(turns).toBeGreaterThan(3);
    }
    const controller = new AbortController();
    const encoding = tokenizer.encodeAsync("ab ".repeat(100_000), { sliceMs: 0, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(encoding).rejects.toThrow("enough");
    await expect(tokenizer.encodeAsync(1 as unknown as string)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("a megabyte of few words takes as long after many words as before", () => {
    for (let word = 0; word < 40_000; word += 1) tokenizer.encode(` w${word}`);
    const began = performance.now();
    for (const text of ["1", " the", "foo ", " \n"]) tokenizer.encode(text.repeat(2 ** 20 / text.length));
    // It took 27 s for the first alone. All four take about 1 s.
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test("encode of nothing is BOS or nothing", () => {
    expect(tokenizer.encode("")).toEqual([tokenizer.bosId]);
    expect(tokenizer.encode("", { addSpecial: false })).toEqual([]);
    expect(tokenizer.decode([])).toBe("");
  });

  test("surrogates without their half become U+FFFD", () => {
    expect(tokenizer.decode(tokenizer.encode("a\ud800b\udc00"))).toBe("a\ufffdb\ufffd");
  });

  test.each([-1, 1.5, NaN, 1e9])("decode refuses %s", (id) => {
    expect(() => tokenizer.decode([id])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => tokenizer.tokenBytes(id)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("words of a million letters are encoded in seconds", { timeout: 30_000 }, () => {
    for (const [unit, bytes] of [
      ["a", 1e6],
      ["ab", 2e5],
      ["😁", 2e5],
      [" ", 2e5],
      ["!", 2e5],
      ["日", 2e5],
    ] as const) {
      const text = unit.repeat(bytes / unit.length);
      expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
    }
  });
});

describe("special tokens", () => {
  const tokenizer = createTokenizer(
    byteVocabulary(byteMerges, {
      controls: ["<|bos|>", "<|eos|>", "<|a|>", "<|a|><|b|>"],
      userDefined: ["[IMG]", "aa[I"],
    }),
  );
  const id = (text: string): number => {
    const ids = tokenizer.encode(text, { addSpecial: false, parseSpecial: true });
    expect(ids).toHaveLength(1);
    return ids[0] ?? -1;
  };

  test("are parsed where asked for, the longest first", () => {
    expect(tokenizer.encode("<|a|><|b|><|a|>", { addSpecial: false, parseSpecial: true })).toEqual([
      id("<|a|><|b|>"),
      id("<|a|>"),
    ]);
    expect(tokenizer.decode([id("<|a|>")])).toBe("");
    expect(tokenizer.decode([id("<|a|>")], { skipSpecial: false })).toBe("<|a|>");
  });

  test("of the user-defined type are text and always found", () => {
    const ids = tokenizer.encode("aa[IMG]", { addSpecial: false });
    // The longer spelling is taken first although the shorter one begins later and so overlaps it.
    expect(ids.at(-1)).toBe(id("[IMG]"));
    expect(tokenizer.isControl(id("[IMG]"))).toBe(false);
    expect(tokenizer.decode(ids)).toBe("aa[IMG]");
  });
});

describe("what the file says", () => {
  test("BOS and EOS are added as add_bos_token and add_eos_token say", () => {
    const ids = (entries: Record<string, boolean | undefined>): number[] =>
      createTokenizer(byteVocabulary([], { entries })).encode("!");
    expect(ids({})).toEqual([256, 0x21]);
    expect(ids({ "tokenizer.ggml.add_bos_token": false })).toEqual([0x21]);
    expect(ids({ "tokenizer.ggml.add_eos_token": true })).toEqual([256, 0x21, 257]);
    const unsaid = byteVocabulary([], { entries: { "tokenizer.ggml.pre": "default" } });
    expect(createTokenizer(unsaid).encode("!")).toEqual([0x21]);
  });

  test("tokens that end an answer are found by key and by name, and are control tokens", () => {
    const controls = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|custom|>"];
    const tokenizer = createTokenizer(
      byteVocabulary([], {
        controls,
        userDefined: ["<|im_end|>"],
        entries: { "tokenizer.ggml.eot_token_id": 259 },
      }),
    );
    expect([...tokenizer.endOfGenerationIds].sort()).toEqual([257, 258, 259, 260]);
    expect(tokenizer.isControl(260)).toBe(true);
    expect(tokenizer.encode("<|im_end|>", { addSpecial: false })).not.toContain(260);
  });

  test("128256 tokens without a splitter's name have Llama 3's", () => {
    const merges = ["Ġ ("];
    const fill = Array.from({ length: 128256 - 257 }, (_, index) => `<|fill_${index}|>`);
    const encode = (controls: readonly string[]): number[] =>
      createTokenizer(
        byteVocabulary(merges, { controls, entries: { "tokenizer.ggml.pre": undefined } }),
      ).encode(" (", {
        addSpecial: false,
      });
    expect(encode(fill)).toEqual([256]);
    // The default splitter keeps punctuation apart from the space before it.
    expect(encode(fill.slice(1))).toHaveLength(2);
  });

  test("chatTemplate is the file's", () => {
    expect(createTokenizer(byteVocabulary([])).chatTemplate).toBeUndefined();
    const entries = { "tokenizer.chat_template": "{{ x }}" };
    expect(createTokenizer(byteVocabulary([], { entries })).chatTemplate).toBe("{{ x }}");
  });
});

describe("createTokenizer refuses", () => {
  const broken: readonly (readonly [string, string, Record<string, unknown>])[] = [
    ["a missing model", "UNSUPPORTED_TOKENIZER", { model: undefined }],
    ["an unknown model", "UNSUPPORTED_TOKENIZER", { model: "bert" }],
    ["an unknown splitter", "UNSUPPORTED_TOKENIZER", { pre: "from-the-future" }],
    ["a splitter that is no string", "UNSUPPORTED_TOKENIZER", { pre: 7 }],
    ["missing tokens", "MODEL_INVALID", { tokens: undefined }],
    ["no tokens", "MODEL_INVALID", { tokens: [] }],
    ["tokens that are no strings", "MODEL_INVALID", { tokens: Int32Array.of(1) }],
    ["tokens that are no array", "MODEL_INVALID", { tokens: "abc" }],
    ["a token of a megabyte", "MODEL_INVALID", { tokens: ["x".repeat(1 << 20)] }],
    ["too many tokens", "MODEL_INVALID", { tokens: new Array<string>((1 << 21) + 1).fill("x") }],
    ["too few token types", "MODEL_INVALID", { token_type: Int32Array.of(1, 1) }],
    ["token types that are no numbers", "MODEL_INVALID", { token_type: ["1"] }],
    ["missing merges", "MODEL_INVALID", { merges: undefined }],
    ["a merge without a space", "MODEL_INVALID", { merges: ["ab"] }],
    ["a merge without a right part", "MODEL_INVALID", { merges: ["a "] }],
    ["a merge of an unknown part", "MODEL_INVALID", { merges: ["a zz"] }],
    ["a merge into an unknown token", "MODEL_INVALID", { merges: ["a b"] }],
    ["a BOS outside the vocabulary", "MODEL_INVALID", { bos_token_id: 1e6 }],
    ["a negative EOS", "MODEL_INVALID", { eos_token_id: -1 }],
    ["an end of turn that is no number", "MODEL_INVALID", { eot_token_id: "x" }],
    ["add_bos_token without a BOS", "MODEL_INVALID", { bos_token_id: undefined, add_bos_token: true }],
    ["add_bos_token that is no flag", "MODEL_INVALID", { add_bos_token: 1 }],
  ];
  test.each(broken)("%s with %s", (_, code, changes) => {
    const metadata = new Map(byteVocabulary([]));
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) metadata.delete(`tokenizer.ggml.${name}`);
      else metadata.set(`tokenizer.ggml.${name}`, value as never);
    }
    expect(() => createTokenizer(metadata)).toThrow(expect.objectContaining({ name: "BitNetError", code }));
  });

  test("anything else with a BitNetError, or accepts it", () => {
    const value = fc.oneof(
      fc.constantFrom("gpt2", "llama", "llama-bpe", "default"),
      fc.string(),
      fc.boolean(),
      fc.integer({ min: -5, max: 300 }),
      fc.double(),
      fc.bigInt(),
      fc.array(fc.string({ maxLength: 4 }), { maxLength: 5 }),
      fc.array(fc.constantFrom("a b", "ab c", "a", " ", "", "b  c"), { maxLength: 5 }),
      fc
        .array(fc.integer({ min: -3, max: 300 }), { maxLength: 5 })
        .map((numbers) => Int32Array.from(numbers)),
      fc.array(fc.float(), { maxLength: 5 }).map((numbers) => Float32Array.from(numbers)),
    );
    const name = fc.constantFrom(
      ...["model", "pre", "tokens", "token_type", "scores", "merges", "bos_token_id", "eos_token_id"],
      ...["unknown_token_id", "eot_token_id", "add_bos_token", "add_eos_token", "add_space_prefix"],
    );
    const base = fc.constantFrom(byteVocabulary(["a b"]), pieceVocabulary(pieces));
    fc.assert(
      fc.property(base, fc.dictionary(name, value, { maxKeys: 3 }), (metadata, changes) => {
        const changed: Metadata = new Map([
          ...metadata,
          ...Object.entries(changes).map(([key, entry]) => [`tokenizer.ggml.${key}`, entry] as const),
        ]);
        try {
          const tokenizer = createTokenizer(changed);
          const ids = tokenizer.encode("a <s> é 😁");
          for (const id of ids) expect(id >= 0 && id < tokenizer.vocabSize).toBe(true);
          tokenizer.decode(ids);
        } catch (error) {
          expect(error).toMatchObject({ name: "BitNetError" });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("scores that are not numbers and byte tokens that are no bytes", () => {
    const refused = (key: string, value: Float32Array | string[]): void => {
      const metadata: Metadata = new Map(pieceVocabulary(pieces)).set(`tokenizer.ggml.${key}`, value);
      expect(() => createTokenizer(metadata)).toThrow(expect.objectContaining({ code: "MODEL_INVALID" }));
    };
    refused("scores", new Float32Array(400).fill(NaN));
    refused("scores", new Float32Array(3));
    refused(
      "tokens",
      Array.from({ length: 259 + pieces.length }, (_, index) => `token ${index}`),
    );
  });
});
