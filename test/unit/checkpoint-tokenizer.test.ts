import { describe, expect, it } from "vitest";
import { Config } from "#dist/checkpoints/config.js";
import { readTokenizer } from "#dist/checkpoints/tokenizer.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { bytes, filesOf, type Json, metadataOfFiles, tokenizerOf } from "../support/tokenizer-files.js";

describe("readTokenizer: special tokens and the chat template", () => {
  const bos = 262;
  it.each<[string, Json, Json, readonly [boolean, boolean]]>([
    ["the template's BOS", {}, {}, [true, false]],
    ["a setting against the template", {}, { add_bos_token: false }, [false, false]],
    ["a setting for EOS", {}, { add_eos_token: true }, [true, true]],
    [
      "a template among other steps, with both",
      {
        post_processor: {
          type: "Sequence",
          processors: [
            { type: "ByteLevel" },
            {
              type: "TemplateProcessing",
              single: [
                { SpecialToken: { id: "<|bos|>" } },
                { Sequence: { id: "A" } },
                { SpecialToken: { id: "<|eos|>" } },
              ],
            },
          ],
        },
      },
      {},
      [true, true],
    ],
    ["no template", { post_processor: null }, {}, [false, false]],
  ])("adds BOS and EOS by %s", async (_, tokenizer, settings, expected) => {
    const files = filesOf(bytes);
    Object.assign(files["tokenizer.json"], tokenizer);
    Object.assign(files["tokenizer_config.json"], settings);
    const metadata = await metadataOfFiles(files);
    expect([
      metadata.get("tokenizer.ggml.add_bos_token"),
      metadata.get("tokenizer.ggml.add_eos_token"),
    ]).toEqual(expected);
  });

  it("finds BOS by its spelling in either file, else by config.json's number", async () => {
    const files = filesOf(bytes);
    // A template would name it as well.
    files["tokenizer.json"].post_processor = null;
    expect(
      (await metadataOfFiles(files, { config: { bos_token_id: 7 } })).get("tokenizer.ggml.bos_token_id"),
    ).toBe(bos);
    delete files["tokenizer_config.json"].bos_token;
    files["tokenizer.json"].post_processor = null;
    const more = { "special_tokens_map.json": { bos_token: { content: "<|eos|>" } } };
    expect((await metadataOfFiles(files, { more })).get("tokenizer.ggml.bos_token_id")).toBe(bos + 1);
    expect(
      (await metadataOfFiles(files, { config: { bos_token_id: 7 } })).get("tokenizer.ggml.bos_token_id"),
    ).toBe(7);
    expect(
      (await metadataOfFiles(files, { config: { bos_token_id: -1 } })).has("tokenizer.ggml.bos_token_id"),
    ).toBe(false);
  });

  it("takes the tokens around a text from the template, and ends answers at EOS all the same", async () => {
    const files = filesOf(bytes);
    const single = [
      { SpecialToken: { id: "<|eos|>" } },
      { Sequence: { id: "A" } },
      { SpecialToken: { id: "<|bos|>" } },
    ];
    files["tokenizer.json"].post_processor = { type: "TemplateProcessing", single };
    const tokenizer = await tokenizerOf(files);
    const [first, ...rest] = tokenizer.encode("a");
    expect([first, rest.at(-1)]).toEqual([bos + 1, bos]);
    expect(tokenizer.endOfGenerationIds).toContain(bos + 1);
  });

  it.each([
    ["<|bos|> <|eos|> A", /a template needs one text, with at most one token before it/],
    ["A <|eos|> <|eos|>", /a template needs one text, with at most one token before it/],
    ["<|bos|>", /a template needs one text, with at most one token before it/],
    ["<none> A", /"special_tokens" .* one id for each token/],
  ])("refuses the template %j", async (template, words) => {
    const files = filesOf(bytes);
    const single = template.split(" ").map((id) => ({ [id === "A" ? "Sequence" : "SpecialToken"]: { id } }));
    files["tokenizer.json"].post_processor = { type: "TemplateProcessing", single };
    await expect(metadataOfFiles(files)).rejects.toThrow(words);
  });

  it("ends an answer at every id that config.json or generation_config.json names", async () => {
    const more = { "generation_config.json": { eos_token_id: [bos + 1, 9] } };
    const tokenizer = await tokenizerOf(filesOf(bytes), { config: { eos_token_id: 8 }, more });
    expect([...tokenizer.endOfGenerationIds].sort((a, b) => a - b)).toEqual([8, 9, bos + 1, bos + 2]);
    expect(tokenizer.eosId).toBe(bos + 1);
  });

  it.each<[string, Json, Readonly<Record<string, unknown>>, string | undefined]>([
    ["its own file", { chat_template: "old" }, { "chat_template.jinja": "new" }, "new"],
    ["the settings", { chat_template: "old" }, { "chat_template.json": { chat_template: "other" } }, "old"],
    [
      "one of several in the settings",
      {
        chat_template: [
          { name: "tool_use", template: "t" },
          { name: "default", template: "d" },
        ],
      },
      {},
      "d",
    ],
    [
      "the third place",
      { chat_template: null },
      { "chat_template.json": { chat_template: "other" } },
      "other",
    ],
    ["nowhere", { chat_template: null }, {}, undefined],
  ])("takes the chat template from %s", async (_, settings, more, expected) => {
    const files = filesOf(bytes);
    Object.assign(files["tokenizer_config.json"], settings);
    expect((await tokenizerOf(files, { more })).chatTemplate).toBe(expected);
  });

  it("says what to do about a folder that has tokenizer.model only", async () => {
    const folder = memoryFolder(new Map([["tokenizer.model", new Uint8Array(1)]]));
    await expect(readTokenizer(folder, new Config("folder", "config.json", {}), 10)).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
      message: expect.stringMatching(/tokenizer\.model only.*save tokenizer\.json/) as string,
    });
  });
});
