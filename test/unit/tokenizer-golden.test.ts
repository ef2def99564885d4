import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { createTextStream } from "#dist/text/text-stream.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { goldenAvailable, goldenPath, starterPath } from "../support/golden-path.js";
import { metadataOf } from "../support/metadata-of.js";

interface TokenizedText {
  readonly text: string;
  readonly ids_plain: readonly number[];
  readonly ids_bos_special: readonly number[];
}

interface GoldenFile {
  readonly prompts: readonly {
    readonly text: string;
    readonly tokens: readonly number[];
    readonly greedy: readonly number[];
    readonly greedy_text_bytes_hex?: string;
  }[];
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, "utf8")) as T;

const models = [
  { name: "tiny-bitnet-b1.58-i2_s", tokenizer: "gpt2 without pre: the default splitter" },
  { name: "tiny-bitnet-i2_s", tokenizer: "SentencePiece" },
  { name: "tiny-llama-i2_s", tokenizer: "gpt2, llama-bpe" },
  { name: "storyteller", tokenizer: "gpt2, llama-bpe" },
];

describe.skipIf(!goldenAvailable).each(models)("tokenizer of $name ($tokenizer)", ({ name }) => {
  let tokenizer: Tokenizer;
  let golden: GoldenFile;
  beforeAll(async () => {
    const path = name === "storyteller" ? starterPath : goldenPath(`${name}/model.gguf`);
    tokenizer = createTokenizer(await metadataOf(path));
    golden = readJson<GoldenFile>(goldenPath(`${name}/golden.json`));
  });

  test.skipIf(name === "storyteller")("encodes every text of tokenize.json as the native engine", () => {
    const texts = readJson<TokenizedText[]>(goldenPath(`${name}/tokenize.json`));
    expect(texts).toHaveLength(24);
    for (const { text, ids_plain, ids_bos_special } of texts) {
      expect(tokenizer.encode(text, { addSpecial: false }), text).toEqual(ids_plain);
      expect(tokenizer.encode(text, { parseSpecial: true }), text).toEqual(ids_bos_special);
    }
  });

  test.skipIf(name === "storyteller")("decodes every text of tokenize.json back", () => {
    for (const { text } of readJson<TokenizedText[]>(goldenPath(`${name}/tokenize.json`))) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  test("encodes every prompt of golden.json as the native engine", () => {
    expect(golden.prompts.length).toBeGreaterThan(2);
    for (const { text, tokens } of golden.prompts) {
      expect(tokenizer.encode(text, { parseSpecial: true }), text).toEqual(tokens);
    }
  });

  test("streams the native engine's continuations to the bytes that it printed", () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for (const { greedy, greedy_text_bytes_hex } of golden.prompts) {
      if (greedy_text_bytes_hex === undefined) continue;
      const stream = createTextStream(tokenizer, { continuesText: true, skipSpecial: false });
      const text = greedy.map((id) => stream.push(id)).join("") + stream.flush();
      expect(text).toBe(decoder.decode(Buffer.from(greedy_text_bytes_hex, "hex")));
    }
  });
});
