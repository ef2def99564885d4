import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile } from "#dist/files/model-file.js";
import { convert, loadModel } from "#dist/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { convertibleTypes } from "#dist/tools/convert/plan.js";
import { bf16 } from "#dist/weight-formats/bf16.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { i2S } from "#dist/weight-formats/i2-s.js";
import { tq20 } from "#dist/weight-formats/tq2-0.js";
import { weightFormatByName, type WeightFormat } from "#dist/weight-formats/index.js";
import { exportCheckpoint, withStoredScales } from "../support/checkpoint-export.js";
import { createConvertWorkbench, dataOf, valuesOf, withHalves } from "../support/convert-workbench.js";
import { starterPath } from "../support/golden-path.js";
import { type Edit, encodeTensor, rewriteModel } from "../support/rewritten-model.js";

const bench = createConvertWorkbench();
const { converted, fresh } = bench;

const storyteller = async (): Promise<ModelFile> => openGguf(bytesSource(await readFile(starterPath)));

async function text(path: string): Promise<string> {
  const model = await loadModel(path, { threads: 1 });
  try {
    return await model.complete("Once upon a time", { maxTokens: 12, temperature: 0 });
  } finally {
    await model.dispose();
  }
}

/** A tensor of I2_S, without the junk after its scale. */
const meaning = (data: Uint8Array): Uint8Array => data.subarray(0, -28);

describe("convert", () => {
  it("copies a file of the same types: the same tensors and metadata", async () => {
    const original = await storyteller();
    const { file } = await converted(starterPath);
    expect([...file.tensors.keys()]).toEqual([...original.tensors.keys()]);
    for (const name of original.tensors.keys()) {
      expect(Buffer.compare(await dataOf(file, name), await dataOf(original, name)), name).toBe(0);
    }
    expect(file.metadata).toEqual(original.metadata);
    expect(file.metadataTypes).toEqual(original.metadataTypes);
  });

  it.each(["tq2_0", "tq1_0", "q2_0", "f16", "bf16", "f32"])(
    "loses nothing of scales that are halves: I2_S → %s → I2_S",
    async (type) => {
      // bfloat16 holds fewer digits than a half.
      const model =
        type === "bf16"
          ? await withStoredScales(starterPath, { kind: "multiply", dtype: "BF16" })
          : await withHalves();
      const original = await openGguf(bytesSource(model));
      const there = await converted(model, { type });
      const back = await converted(there.bytes, { type: "i2_s" });
      for (const [name, { type: stored }] of original.tensors) {
        if (stored === "I2_S") expect(there.file.tensors.get(name)?.type.toLowerCase()).toBe(type);
        const [a, b] = [await dataOf(back.file, name), await dataOf(original, name)];
        expect(
          Buffer.compare(stored === "I2_S" ? meaning(a) : a, stored === "I2_S" ? meaning(b) : b),
          name,
        ).toBe(0);
      }
    },
  );

  it.each(["tq2_0", "tq1_0", "q2_0"])(
    "keeps other scales beside the matrices on request: I2_S → %s → I2_S",
    async (type) => {
      const original = await storyteller();
      const there = await converted(starterPath, { type, exactScales: true });
      const back = await converted(there.bytes);
      expect([...back.file.tensors.keys()]).toEqual([...original.tensors.keys()]);
      for (const [name, { type: stored }] of original.tensors) {
        const [a, b] = [await dataOf(back.file, name), await dataOf(original, name)];
        expect(
          Buffer.compare(stored === "I2_S" ? meaning(a) : a, stored === "I2_S" ? meaning(b) : b),
          name,
        ).toBe(0);
      }
      expect(await valuesOf(there.file, "blk.0.attn_q.scale")).toEqual(
        Float32Array.of((await valuesOf(original, "blk.0.attn_q.weight")).find((value) => value > 0) ?? NaN),
      );
      expect(new Set(await valuesOf(there.file, "blk.0.attn_q.weight"))).toEqual(new Set([-1, 0, 1]));
    },
  );

  it("rounds scales to halves as the formats do, and reports the error", async () => {
    const original = await storyteller();
    const output = fresh();
    const { roundedScales } = await convert(starterPath, { output, type: "tq2_0" });
    const file = await openGguf(bytesSource(await readFile(output)));
    const matrices = [...original.tensors.values()].filter(({ type }) => type === "I2_S");
    expect(roundedScales.tensors).toBe(matrices.length);
    expect(roundedScales.largestChange).toBeGreaterThan(0);
    expect(roundedScales.largestChange).toBeLessThanOrEqual(2 ** -11);
    for (const { name } of matrices) {
      // The definition's encoder, applied to all weights at once.
      const expected = tq20.encode?.(await valuesOf(original, name)) ?? expect.fail("no encoder");
      expect(Buffer.compare(await dataOf(file, name), expected), name).toBe(0);
    }
  });

  it.each(convertibleTypes.filter((type) => weightFormatByName(type)?.ternary === false))(
    "writes a head as the definition of %s encodes it",
    async (headType) => {
      const original = await storyteller();
      const format = weightFormatByName(headType) ?? expect.fail("no format");
      const { file } = await converted(starterPath, { headType });
      const expected =
        format.encode?.(await valuesOf(original, "token_embd.weight")) ?? expect.fail("no encoder");
      expect(file.tensors.get("token_embd.weight")?.type).toBe(format.name);
      expect(Buffer.compare(await dataOf(file, "token_embd.weight"), expected)).toBe(0);
      expect(file.tensors.get("blk.0.attn_q.weight")?.type).toBe("I2_S");
    },
  );

  it("writes whole pieces and the rest: tensors longer than a piece", async () => {
    // A piece has 2^20 weights. This tensor has three pieces and a remainder.
    const elements = 3 * 2 ** 20 + 512;
    const values = Float32Array.from({ length: elements }, (_, index) =>
      ((index * 2654435761) >>> 30) % 3 === 0 ? 0 : index % 2 === 0 ? 0.5 : -0.5,
    );
    const model = await rewriteModel(starterPath, ({ tensors }) => {
      tensors.clear();
      tensors.set("blk.0.attn_q.weight", encodeTensor(f32, [256, elements / 256], values));
    });
    for (const type of ["i2_s", "tq2_0", "tq1_0", "bf16", "q8_0"]) {
      const first = await converted(model, { type });
      const format = weightFormatByName(type) ?? expect.fail("no format");
      const expected = format.encode?.(values) ?? expect.fail("no encoder");
      const data = await dataOf(first.file, "blk.0.attn_q.weight");
      expect(
        Buffer.compare(
          type === "i2_s" ? meaning(data) : data,
          type === "i2_s" ? meaning(expected) : expected,
        ),
        type,
      ).toBe(0);
      if (!format.ternary) continue;
      const back = await converted(first.bytes, { type: "f32" });
      // Compares bytes, since toEqual takes half a minute over millions of numbers.
      const read = await valuesOf(back.file, "blk.0.attn_q.weight");
      expect(Buffer.compare(f32.encode?.(read) ?? data, f32.encode?.(values) ?? data), type).toBe(0);
    }
  });

  it("recodes TQ2_0 with blocks of zeros, negative scales and zero scales", async () => {
    const elements = 4 * 256;
    const values = Float32Array.from({ length: elements }, (_, index) =>
      index < 512 && index >= 256 ? 0 : 0.25 * ((index % 3) - 1),
    );
    const tensor = encodeTensor(tq20, [256, 4], values);
    const data = new Uint8Array(tensor.data);
    // The last block has a negative scale, which flips the signs of its weights. The block before it has
    // codes and the scale 0.
    data[3 * 66 + 65] = (data[3 * 66 + 65] ?? 0) | 0x80;
    data.fill(0, 2 * 66 + 64, 2 * 66 + 66);
    const model = await rewriteModel(starterPath, ({ tensors }) => {
      tensors.clear();
      tensors.set("blk.0.attn_q.weight", { ...tensor, data });
    });
    const expected = values.map((value, index) => (index >= 768 ? -value : index >= 512 ? 0 : value));
    const { file } = await converted(model, { type: "i2_s" });
    expect(await valuesOf(file, "blk.0.attn_q.weight")).toEqual(expected.map((value) => value + 0));
  });

  it("converts a tied head with the embedding, and an untied one alone", async () => {
    const tied = await converted(starterPath, { headType: "q8_0" });
    expect(tied.file.tensors.get("token_embd.weight")?.type).toBe("Q8_0");
    const untied = await rewriteModel(starterPath, ({ tensors }) => {
      const embedding = tensors.get("token_embd.weight") ?? expect.fail("no embedding");
      tensors.set("output.weight", embedding);
    });
    const { file } = await converted(untied, { headType: "q8_0" });
    expect([file.tensors.get("token_embd.weight")?.type, file.tensors.get("output.weight")?.type]).toEqual([
      "F16",
      "Q8_0",
    ]);
  });

  it("writes a checkpoint's folder as the GGUF file that it came from", async () => {
    const storage = { kind: "divide", dtype: "BF16" } as const;
    const gguf = await withStoredScales(starterPath, storage);
    const checkpoint = join(bench.folder, "checkpoint");
    await mkdir(checkpoint);
    for (const [name, bytes] of await exportCheckpoint(gguf, { storage, tensorsPerShard: 9 }))
      await writeFile(join(checkpoint, name), bytes);
    const original = await openGguf(bytesSource(gguf));
    const { file, path } = await converted(checkpoint);
    expect(file.metadata.get("general.name")).toBe("checkpoint");
    expect(file.metadata.get("general.file_type")).toBe(40);
    expect([...file.tensors.keys()].sort()).toEqual([...original.tensors.keys()].sort());
    for (const [name, { type }] of original.tensors) {
      expect(file.tensors.get(name)?.type).toBe(type);
      const [a, b] = [await dataOf(file, name), await dataOf(original, name)];
      expect(Buffer.compare(type === "I2_S" ? meaning(a) : a, type === "I2_S" ? meaning(b) : b), name).toBe(
        0,
      );
    }
    const other = join(bench.folder, "original.gguf");
    await writeFile(other, gguf);
    expect(await text(path)).toBe(await text(other));
  });

  it("converts a checkpoint's norms to F32 and its head to F16, and everything to floats on request", async () => {
    const storage = { kind: "masters", dtype: "BF16" } as const;
    const gguf = await rewriteModel(starterPath, (parts) => storeAs(parts, bf16));
    const checkpoint = join(bench.folder, "masters");
    await mkdir(checkpoint);
    for (const [name, bytes] of await exportCheckpoint(gguf, { storage }))
      await writeFile(join(checkpoint, name), bytes);
    const types = async (type: string): Promise<unknown> => {
      const { file } = await converted(checkpoint, { type });
      return ["token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight"].map(
        (name) => file.tensors.get(name)?.type,
      );
    };
    expect(await types("i2_s")).toEqual(["F16", "F32", "I2_S"]);
    expect(await types("bf16")).toEqual(["BF16", "F32", "BF16"]);
    expect(await types("f32")).toEqual(["F32", "F32", "F32"]);
    expect(await types("f16")).toEqual(["F16", "F32", "F16"]);
  });

  it("merges scales beside the matrices into I2_S if the type changes", async () => {
    const model = await rewriteModel(await withHalves(), ({ tensors }) => {
      tensors.set("blk.0.attn_q.scale", encodeTensor(f32, [1], Float32Array.of(0.75)));
      tensors.set("blk.0.attn_k.scale", encodeTensor(f32, [1], Float32Array.of(-2)));
    });
    const original = await openGguf(bytesSource(model));
    const same = await converted(model);
    expect(await valuesOf(same.file, "blk.0.attn_q.scale")).toEqual(Float32Array.of(0.75));
    const tq = await converted(model, { type: "tq2_0" });
    expect(await valuesOf(tq.file, "blk.0.attn_q.scale")).toEqual(Float32Array.of(0.75));
    const back = await converted(tq.bytes);
    expect(back.file.tensors.has("blk.0.attn_q.scale")).toBe(false);
    const scaled = (await valuesOf(original, "blk.0.attn_q.weight")).map((value) => value * 0.75);
    expect(await valuesOf(back.file, "blk.0.attn_q.weight")).toEqual(scaled);
    // A scale that would flip signs is not moved.
    expect(await valuesOf(back.file, "blk.0.attn_k.scale")).toEqual(Float32Array.of(-2));
  });

  describe("metadata", () => {
    const placeholder = "{{ 'Human: ' }}{{ 'BITNETAssistant: ' }}";
    const official = (change: (parts: Edit) => void = () => undefined): Promise<Uint8Array> =>
      rewriteModel(starterPath, (parts) => {
        const { metadata } = parts;
        const tokens = Array.from({ length: 128_256 }, (_, id) => (id === 128_009 ? "<|eot_id|>" : `t${id}`));
        metadata.set("tokenizer.ggml.tokens", { type: "string[]", value: tokens });
        metadata.set("tokenizer.chat_template", { type: "string", value: placeholder });
        metadata.delete("tokenizer.ggml.pre");
        for (const name of parts.tensors.keys())
          if (name !== "output_norm.weight") parts.tensors.delete(name);
        change(parts);
      });

    it("repairs missing and wrong metadata of the official 2B4T file", async () => {
      const { file } = await converted(await official());
      expect(file.metadata.get("tokenizer.ggml.pre")).toBe("llama-bpe");
      expect(file.metadata.get("tokenizer.ggml.eot_token_id")).toBe(128_009);
      const template = String(file.metadata.get("tokenizer.chat_template"));
      expect(template).not.toContain("BITNETAssistant");
      expect(template).toContain("Assistant: ");
      expect(template).toContain("<|eot_id|>");
    });

    it("keeps other templates and other models unchanged", async () => {
      const own = await converted(
        await official(({ metadata }) =>
          metadata.set("tokenizer.chat_template", { type: "string", value: "mine" }),
        ),
      );
      expect(own.file.metadata.get("tokenizer.chat_template")).toBe("mine");
      const other = await converted(
        await official(({ metadata }) =>
          metadata.set("general.architecture", { type: "string", value: "llama" }),
        ),
      );
      expect(other.file.metadata.get("tokenizer.chat_template")).toBe(placeholder);
      expect(other.file.metadata.has("tokenizer.ggml.eot_token_id")).toBe(false);
    });

    it("names the default splitter of a file without one", async () => {
      const model = await rewriteModel(starterPath, ({ metadata }) => metadata.delete("tokenizer.ggml.pre"));
      expect((await converted(model)).file.metadata.get("tokenizer.ggml.pre")).toBe("default");
    });

    it.each([
      ["tq1_0", 36],
      ["f16", 1],
      ["i2_s", 40],
    ])("says that a file is of %s", async (type, fileType) => {
      const { file } = await converted(await withHalves(), { type });
      expect(file.metadata.get("general.file_type")).toBe(fileType);
    });
  });
});

/** Stores a matrix that is not ternary in another format. */
function storeAs({ tensors }: Edit, format: WeightFormat): void {
  for (const [name, { shape, typeId, data }] of tensors) {
    if (typeId === i2S.id) continue;
    const from = typeId === f32.id ? f32 : (weightFormatByName("f16") ?? expect.fail("no F16"));
    const elements = shape.reduce((product, size) => product * size, 1);
    tensors.set(name, encodeTensor(format, shape, from.decode(new Uint8Array(data), elements)));
  }
}
