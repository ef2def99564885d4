import { beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "#dist/checkpoints/open-checkpoint.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { memoryFolder } from "#dist/platform/memory-source.js";
import { bf16 } from "#dist/weight-formats/bf16.js";
import { f16 } from "#dist/weight-formats/f16.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { type CheckpointParts, exportCheckpoint, writeCheckpoint } from "../support/checkpoint-export.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

/** Masters of the storyteller's first layer. Tests copy them and never change them. */
let masters: CheckpointParts;
beforeAll(async () => {
  const gguf = await rewriteModel(starterPath, ({ metadata, tensors }) => {
    metadata.set("bitnet-b1.58.block_count", { type: "uint32", value: 1 });
    for (const name of [...tensors.keys()]) if (/^blk\.[1-9]/.test(name)) tensors.delete(name);
  });
  await exportCheckpoint(gguf, { storage: { kind: "masters", dtype: "BF16" } }, (parts) => (masters = parts));
});

const copy = (): CheckpointParts => ({
  tensors: new Map(masters.tensors),
  config: { ...masters.config },
  tokenizer: masters.tokenizer,
});
const open = (parts: CheckpointParts, storedTables = false): Promise<ModelFile> =>
  openCheckpoint(memoryFolder(writeCheckpoint(parts)), { storedTables });

describe("embedding and head of a ternary model", () => {
  const embedding = "model.embed_tokens.weight";
  const count = 4096 * 256;
  /** Patterns of finite halves and of values that round to them: tiny, subnormal, large. */
  const values = Float32Array.from({ length: count }, (_, i) => ((i % 2003) - 1001) * 2 ** -((i % 40) - 5));

  it.each([bf16, f32])(
    "are read as halves from $name, in any pieces, and as stored where asked for",
    async (format) => {
      const parts = copy();
      const data = format.encode?.(values) ?? expect.fail("not written");
      parts.tensors.set(embedding, { dtype: format.name, shape: [4096, 256], data });
      const read = (await open(parts)).tensors.get("token_embd.weight") ?? expect.fail("no embedding");
      const expected = f16.encode?.(format.decode(data, count)) ?? expect.fail("not written");
      expect([read.type, read.bytes]).toEqual(["F16", expected.length]);
      expect(Buffer.compare(await read.source.read(read.offset, read.bytes), expected)).toBe(0);
      expect(await read.source.read(read.offset + 1001, 777)).toEqual(expected.slice(1001, 1778));
      const stored = await open(parts, true);
      expect(stored.tensors.get("token_embd.weight")?.type).toBe(format.name);
    },
  );

  it("are refused beyond halves, naming the weight and what to do", async () => {
    const parts = copy();
    const large = bf16.encode?.(values.with(777, 70000)) ?? expect.fail("not written");
    parts.tensors.set(embedding, { dtype: "BF16", shape: [4096, 256], data: large });
    const read = (await open(parts)).tensors.get("token_embd.weight") ?? expect.fail("no embedding");
    await expect(read.source.read(0, read.bytes)).rejects.toMatchObject({
      code: "UNSUPPORTED_TENSOR_TYPE",
      message: expect.stringMatching(/weight 777 .*--head-type bf16/) as string,
      details: { tensor: "token_embd.weight", index: 777 },
    });
  });

  it("of a model that is not ternary stay as they are", async () => {
    const parts = copy();
    parts.config.quantization_config = {
      ...(parts.config.quantization_config as object),
      modules_to_not_convert: ["mlp", "self_attn"],
    };
    const data = bf16.encode?.(values) ?? expect.fail("not written");
    parts.tensors.set(embedding, { dtype: "BF16", shape: [4096, 256], data });
    expect((await open(parts)).tensors.get("token_embd.weight")?.type).toBe("BF16");
  });
});

describe("the window of Gemma 3", () => {
  const keyOf = async (config: Readonly<Record<string, unknown>>): Promise<unknown> => {
    const { gemma3 } = await import("#dist/checkpoints/families/gemma3.js");
    const { Config } = await import("#dist/checkpoints/config.js");
    const keys = gemma3.ownKeys?.(new Config("folder", "config.json", config)) ?? [];
    return keys.find(([name]) => name === "attention.sliding_window")?.[2];
  };
  const full = { layer_types: ["full_attention", "full_attention"] };

  it.each<[string, Readonly<Record<string, unknown>>, number | undefined]>([
    ["the file's", { sliding_window: 512 }, 512],
    ["4096 without a key, as in transformers", {}, 4096],
    ["the whole context for null", { sliding_window: null, max_position_embeddings: 9000 }, 9000],
    ["none if no layer has one", { ...full, sliding_window: 512 }, undefined],
  ])("is %s", async (_, config, window) => {
    expect(await keyOf(config)).toBe(window);
  });
});
