import { describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { starterPath } from "../support/golden-path.js";
import { type Edit, encodeTensor, rewriteModel } from "../support/rewritten-model.js";

async function load(edit: (parts: Edit) => void): Promise<void> {
  const bytes = await rewriteModel(starterPath, edit);
  const model = await loadModel(bytes, { threads: 1 });
  await model.complete("Once", { maxTokens: 2, temperature: 0 });
  await model.dispose();
}

function change(parts: Edit, key: string, value: number | string): void {
  const entry = parts.metadata.get(key);
  if (entry === undefined) throw new Error(`no ${key}`);
  parts.metadata.set(key, { ...entry, value });
}

describe("loadModel refuses a well-formed file that makes no model", () => {
  it("reads the same file unchanged", async () => {
    await expect(load(() => {})).resolves.toBeUndefined();
  });

  it.each<[string, string, string, (parts: Edit) => void]>([
    [
      "an unknown architecture",
      "UNSUPPORTED_ARCHITECTURE",
      "mamba",
      (p) => change(p, "general.architecture", "mamba"),
    ],
    [
      "no architecture",
      "MODEL_INVALID",
      "general.architecture",
      (p) => p.metadata.delete("general.architecture"),
    ],
    [
      "a missing tensor",
      "MODEL_INVALID",
      "blk.3.ffn_up.weight",
      (p) => p.tensors.delete("blk.3.ffn_up.weight"),
    ],
    ["a missing norm", "MODEL_INVALID", "output_norm.weight", (p) => p.tensors.delete("output_norm.weight")],
    [
      "a tensor of the wrong shape",
      "MODEL_INVALID",
      "expected|says",
      (p) => p.tensors.set("blk.0.attn_norm.weight", encodeTensor(f32, [128], new Float32Array(128))),
    ],
    ["more layers than tensors", "MODEL_INVALID", "blk.6", (p) => change(p, "bitnet-b1.58.block_count", 7)],
    [
      "fewer layers than tensors",
      "UNSUPPORTED_ARCHITECTURE",
      "blk.5",
      (p) => change(p, "bitnet-b1.58.block_count", 5),
    ],
    [
      "a width of zero",
      "MODEL_INVALID",
      "embedding_length",
      (p) => change(p, "bitnet-b1.58.embedding_length", 0),
    ],
    [
      "a text where a number belongs",
      "MODEL_INVALID",
      "head_count",
      (p) => p.metadata.set("bitnet-b1.58.attention.head_count", { type: "string", value: "four" }),
    ],
    [
      "heads that cannot share keys evenly",
      "MODEL_INVALID",
      "evenly|shape",
      (p) => change(p, "bitnet-b1.58.attention.head_count_kv", 3),
    ],
    [
      "a bias that the graph would leave out",
      "UNSUPPORTED_ARCHITECTURE",
      "attn_q.bias",
      (p) => p.tensors.set("blk.0.attn_q.bias", encodeTensor(f32, [256], new Float32Array(256))),
    ],
    [
      "a tensor type without a kernel",
      "UNSUPPORTED_TENSOR_TYPE",
      "IQ3_S",
      (p) =>
        p.tensors.set("blk.0.attn_q.weight", { shape: [256, 256], typeId: 21, data: new Uint8Array(28160) }),
    ],
    [
      "a TL1 tensor, saying why",
      "UNSUPPORTED_TENSOR_TYPE",
      "I2_S",
      (p) =>
        p.tensors.set("blk.0.attn_q.weight", { shape: [256, 256], typeId: 38, data: new Uint8Array(16416) }),
    ],
    [
      "an unknown tokenizer",
      "UNSUPPORTED_TOKENIZER",
      "rwkv",
      (p) => change(p, "tokenizer.ggml.model", "rwkv"),
    ],
    [
      "an unknown splitter",
      "UNSUPPORTED_TOKENIZER",
      "klingon",
      (p) => change(p, "tokenizer.ggml.pre", "klingon"),
    ],
  ])("with %s", async (_, code, message, edit) => {
    await expect(load(edit)).rejects.toMatchObject({
      name: "BitNetError",
      code,
      message: expect.stringMatching(new RegExp(message)),
    });
  });

  it("with a code 3 in a ternary tensor, naming the byte", async () => {
    const damaged = load((parts) => {
      const tensor = parts.tensors.get("blk.2.ffn_down.weight");
      if (tensor === undefined) throw new Error("no such tensor");
      const data = tensor.data.slice();
      data[1000] = 0xff;
      parts.tensors.set("blk.2.ffn_down.weight", { ...tensor, data });
    });
    await expect(damaged).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      details: { offset: expect.any(Number) },
    });
  });
});

describe("loadModel runs", () => {
  it("a model under the architecture's older name", async () => {
    await expect(
      load((parts) => {
        change(parts, "general.architecture", "bitnet-25");
        for (const [key, value] of [...parts.metadata]) {
          if (key.startsWith("bitnet-b1.58."))
            parts.metadata.set(key.replace("bitnet-b1.58", "bitnet-25"), value);
        }
      }),
    ).resolves.toBeUndefined();
  });
});
