import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { describeModel } from "#dist/architectures/index.js";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { type LanguageModel, loadModel } from "#dist/index.js";
import { bytesSource, memoryFolder } from "#dist/platform/memory-source.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { exportCheckpoint, type ExportOptions, withStoredScales } from "../support/checkpoint-export.js";
import { goldenAvailable, goldenMissing, goldenPath, starterPath } from "../support/golden-path.js";

// A GGUF model is written as each possible kind of source checkpoint. The converted model must be the same,
// bit for bit. The expected model is the GGUF file with scales that the checkpoint's convention can express.

const models = [
  { name: "storyteller", path: starterPath, available: true },
  ...["tiny-bitnet-b1.58-i2_s", "tiny-bitnet-i2_s", "tiny-llama-i2_s"].map((name) => ({
    name,
    path: goldenPath(`${name}/model.gguf`),
    available: goldenAvailable,
  })),
];

const packedInShards: ExportOptions = { storage: { kind: "divide", dtype: "BF16" }, tensorsPerShard: 5 };
const mastersInOneFile: ExportOptions = { storage: { kind: "masters", dtype: "BF16" } };
const exports: readonly (readonly [string, ExportOptions])[] = [
  ["packed weights that scales divide, F32", { storage: { kind: "divide", dtype: "F32" } }],
  ["packed weights that scales divide, BF16, in shards", packedInShards],
  [
    "packed weights that scales multiply, F32, in shards",
    { storage: { kind: "multiply", dtype: "F32" }, tensorsPerShard: 7 },
  ],
  ["packed weights that scales multiply, F16", { storage: { kind: "multiply", dtype: "F16" } }],
  ["packed weights that scales multiply, BF16", { storage: { kind: "multiply", dtype: "BF16" } }],
  ["masters in F32", { storage: { kind: "masters", dtype: "F32" } }],
  ["masters in F16, in shards", { storage: { kind: "masters", dtype: "F16" }, tensorsPerShard: 11 }],
  ["masters in BF16", mastersInOneFile],
];

/** The meaningful bytes of every tensor. Bytes after an I2_S scale are junk. */
async function tensorsOf(file: ModelFile): Promise<Map<string, unknown>> {
  const tensors = new Map<string, unknown>();
  for (const { name, type, shape, source, offset, bytes } of file.tensors.values()) {
    const data = await source.read(offset, type === "I2_S" ? bytes - 28 : bytes);
    tensors.set(name, { type, shape, data: Buffer.from(data).toString("base64") });
  }
  return tensors;
}

/** The complete output of a model for a prompt. */
async function outputOf(model: LanguageModel): Promise<{ logits: string; text: string; ids: number[] }> {
  try {
    const ids = model.tokenize("Once upon a time, there were 3 ants.");
    using session = model.createSession();
    const logits = await session.evaluate(ids, { logits: "all" });
    const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
    return { logits: Buffer.from(logits.buffer).toString("base64"), text, ids };
  } finally {
    await model.dispose();
  }
}

/** The GGUF file with scales that a checkpoint can express, and the checkpoint made from it. */
async function openBoth(
  path: string,
  options: ExportOptions,
): Promise<{ readonly gguf: ModelFile; readonly checkpoint: ModelFile }> {
  const gguf = await withStoredScales(path, options.storage);
  return {
    gguf: await openGguf(bytesSource(gguf)),
    checkpoint: await openCheckpoint(memoryFolder(await exportCheckpoint(gguf, options))),
  };
}

describe.each(models)("a checkpoint of $name", ({ name, path, available }) => {
  function needsData(context: TestContext): void {
    if (!available) context.skip(goldenMissing);
  }
  it.for(exports)("has the GGUF file's tensors and description from %s", async ([, options], context) => {
    needsData(context);
    const { gguf, checkpoint } = await openBoth(path, options);
    expect(await tensorsOf(checkpoint)).toEqual(await tensorsOf(gguf));
    expect(describeModel(checkpoint)).toEqual(describeModel(gguf));
  });

  it.for([
    ["packed, in shards", packedInShards],
    ["masters, in one file", mastersInOneFile],
  ] as const)("gives the GGUF file's logits and text from a folder: %s", async ([, options], context) => {
    needsData(context);
    const gguf = await withStoredScales(path, options.storage);
    const folder = await mkdtemp(join(tmpdir(), "bitnet-checkpoint-"));
    try {
      for (const [file, bytes] of await exportCheckpoint(gguf, options))
        await writeFile(join(folder, file), bytes);
      const expected = await outputOf(await loadModel(gguf, { threads: 1 }));
      const actual = await outputOf(await loadModel(folder, { threads: 2 }));
      expect(actual).toEqual(expected);
      expect(actual.text.length).toBeGreaterThan(20);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  describe("its tokenizer.json", () => {
    const tokenizers = async (): Promise<{ gguf: Tokenizer; checkpoint: Tokenizer }> => {
      const { gguf, checkpoint } = await openBoth(path, mastersInOneFile);
      return { gguf: createTokenizer(gguf.metadata), checkpoint: createTokenizer(checkpoint.metadata) };
    };

    it("has the GGUF file's ids, ends and template", async (context) => {
      needsData(context);
      const { gguf, checkpoint } = await tokenizers();
      const facts = ({
        vocabSize,
        bosId,
        eosId,
        addsEos,
        endOfGenerationIds,
        chatTemplate,
      }: Tokenizer): unknown => ({
        ...{ vocabSize, bosId, eosId, addsEos, endOfGenerationIds, chatTemplate },
      });
      expect(facts(checkpoint)).toEqual(facts(gguf));
      const texts = [
        "Once upon a time, there were 12345 ants.\n\n",
        "  ﬁ\u0301 日本 🦜 <|eot_id|></s>",
        "",
        "aaaaaaa",
      ];
      for (const text of texts) {
        for (const parseSpecial of [false, true]) {
          expect(checkpoint.encode(text, { parseSpecial }), text).toEqual(
            gguf.encode(text, { parseSpecial }),
          );
        }
      }
    });

    it("encodes every text of tokenize.json as the native engine", async (context) => {
      if (!goldenAvailable || name === "storyteller") context.skip(goldenMissing);
      const { checkpoint } = await tokenizers();
      const texts = JSON.parse(readFileSync(goldenPath(`${name}/tokenize.json`), "utf8")) as readonly {
        readonly text: string;
        readonly ids_plain: readonly number[];
        readonly ids_bos_special: readonly number[];
      }[];
      expect(texts).toHaveLength(24);
      for (const { text, ids_plain, ids_bos_special } of texts) {
        expect(checkpoint.encode(text, { addSpecial: false }), text).toEqual(ids_plain);
        expect(checkpoint.encode(text, { parseSpecial: true }), text).toEqual(ids_bos_special);
      }
    });
  });
});
