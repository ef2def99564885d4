import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Config } from "#dist/checkpoints/config.js";
import { metadataMaps } from "#dist/checkpoints/metadata-list.js";
import { readTokenizer } from "#dist/checkpoints/tokenizer.js";
import type { Metadata } from "#dist/files/model-file.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { readSettings, settingsEntries } from "#dist/text/text-settings.js";
import { createTokenizer } from "#dist/text/tokenizer.js";
import { withUnicode16 } from "#dist/text/unicode-letters.js";

interface AddedToken {
  readonly id: number;
  readonly content: string;
}
interface TokenizerFile {
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
  readonly added_tokens: readonly AddedToken[];
}
// Made by test/golden/tokenizers/make-cases.py.
const golden = JSON.parse(
  readFileSync(new URL("../golden/tokenizers/cases.json", import.meta.url), "utf8"),
) as {
  readonly bases: Readonly<Record<string, TokenizerFile>>;
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly base: string;
    readonly change: Partial<TokenizerFile>;
    readonly ids: readonly (readonly number[])[];
    readonly around: readonly number[];
  }[];
};

function fileOf({ base, change }: (typeof golden.cases)[number]): TokenizerFile {
  const file = golden.bases[base] ?? expect.fail(base);
  return { ...file, ...change };
}

async function read(file: object, settings: object = {}, vocabSize = 400): Promise<Metadata> {
  const files = { "tokenizer.json": file, "tokenizer_config.json": settings };
  const bytes = Object.entries(files).map(
    ([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))] as const,
  );
  const config = new Config("folder", "config.json", {});
  return metadataMaps(await readTokenizer(memoryFolder(new Map(bytes)), config, vocabSize)).metadata;
}

describe("a checkpoint's tokenizer gives the ids of Hugging Face's tokenizers", () => {
  it.each(golden.cases.map((item) => [item.name, item] as const))("%s", async (_, item) => {
    const tokenizer = createTokenizer(
      await read(fileOf(item), { eos_token: "<|end|>", add_bos_token: item.around.length > 2 }),
    );
    golden.texts.forEach((text, index) => {
      expect(tokenizer.encode(text, { addSpecial: false, parseSpecial: true }), text).toEqual(
        item.ids[index],
      );
    });
    if (item.base === "bytes") expect(tokenizer.encode("a")).toEqual(item.around);
  });

  it("ends an answer at eos_token too, where texts end with another token", async () => {
    const item = golden.cases.find(({ name }) => name.includes("another end")) ?? expect.fail("no case");
    const tokenizer = createTokenizer(await read(fileOf(item), { eos_token: "<|end|>" }));
    const ids = fileOf(item).added_tokens.map(({ id }) => id);
    expect([...tokenizer.endOfGenerationIds].sort((a, b) => a - b)).toEqual(ids);
    expect(tokenizer.eosId).toBe(ids[1]);
  });

  it("leaves an added token without a row in the embedding out", async () => {
    const item = golden.cases[0] ?? expect.fail("no case");
    const file = fileOf(item);
    const vocabSize = Object.keys(file.model.vocab).length;
    const past = { id: vocabSize, content: "<image>", special: true };
    const metadata = await read({ ...file, added_tokens: [...file.added_tokens, past] }, {}, vocabSize);
    const tokenizer = createTokenizer(metadata);
    expect(tokenizer.vocabSize).toBe(vocabSize);
    expect(tokenizer.encode("<image>", { parseSpecial: true })).toEqual(
      createTokenizer(await read(file, {}, vocabSize)).encode("<image>", { parseSpecial: true }),
    );
  });

  it("makes no control token of an ordinary one by its name", async () => {
    const [item] = golden.cases.filter(({ base }) => base === "bytes");
    const file = fileOf(item ?? expect.fail("no case"));
    const id = Object.keys(file.model.vocab).length + 2;
    const vocab = { ...file.model.vocab, "</s>": id };
    const tokenizer = createTokenizer(await read({ ...file, model: { ...file.model, vocab } }));
    expect(tokenizer.encode("</s>", { addSpecial: false, parseSpecial: true })).toHaveLength(4);
    expect(tokenizer.isControl(id)).toBe(false);
    expect(tokenizer.endOfGenerationIds.has(id)).toBe(false);
  });

  it.each([
    ["an unknown scheme", { normalizer: null, pre_tokenizer: { type: "Metaspace", prepend_scheme: "last" } }],
    [
      "a scheme against the older flag",
      {
        normalizer: null,
        pre_tokenizer: { type: "Metaspace", prepend_scheme: "first", add_prefix_space: false },
      },
    ],
    ["another mark", { normalizer: null, pre_tokenizer: { type: "Metaspace", replacement: "_" } }],
    ["marks from two steps", { pre_tokenizer: { type: "Metaspace" } }],
    ["another post-processor", { post_processor: { type: "RobertaProcessing" } }],
    [
      "two tokens before a text",
      {
        post_processor: {
          type: "TemplateProcessing",
          single: [
            { SpecialToken: { id: "<s>" } },
            { SpecialToken: { id: "<s>" } },
            { Sequence: { id: "A" } },
          ],
        },
      },
    ],
    [
      "no text in the template",
      { post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }] } },
    ],
  ])("or refuses %s", async (_, change) => {
    await expect(read({ ...golden.bases.pieces, ...change })).rejects.toMatchObject({
      code: "UNSUPPORTED_TOKENIZER",
    });
  });
});

describe("settings of a tokenizer", () => {
  it("come back from the metadata that they are written to", () => {
    const ids = fc.uniqueArray(fc.nat(1000)).map((list) => new Set(list));
    const settings = fc.record({
      ...{ nfc: fc.boolean(), splitsMarks: fc.boolean(), exact: fc.boolean() },
      prepend: fc.constantFrom("never" as const, "first" as const, "always" as const, undefined),
      ...{ stripsLeft: ids, stripsRight: ids, singleWord: ids, normalized: ids, merged: ids },
    });
    fc.assert(
      fc.property(settings, (given) => {
        expect(readSettings(metadataMaps(settingsEntries(given)).metadata)).toEqual(given);
      }),
    );
  });

  it.each([
    ["nfc", 1],
    ["prepend", "last"],
    ["added_lstrip", "x"],
  ])("are refused if %s is %j", (key, value) => {
    expect(() => readSettings(new Map([[`tokenizer.bitnet_wasm.${key}`, value]]))).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID" }) as Error,
    );
  });
});

it("sees new letters as Unicode 16 does, on every host", () => {
  expect(withUnicode16("aé日🦜 1")).toBe("aé日🦜 1");
  for (const [text, pattern] of [
    ["\u1c89\u{105c0}\u{2ebf0}", /^\p{L}+$/u],
    ["\u{10d40}", /^\p{N}+$/u],
    ["\u0897\u{10d69}", /^\p{M}+$/u],
    ["\u1b4e\u{10d6e}", /^\p{P}+$/u],
    ["\u088f\u{10940}\u{11de0}", /^[^\p{L}\p{N}\p{M}\p{P}\s]+$/u],
  ] as const) {
    expect(withUnicode16(text)).toMatch(pattern);
    expect(withUnicode16(text)).toHaveLength(text.length);
  }
});
