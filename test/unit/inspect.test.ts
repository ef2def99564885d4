import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { openModelFile } from "#dist/files/index.js";
import { encodeGgufHeader } from "#dist/files/gguf-header.js";
import { planTensor } from "#dist/files/gguf-writer.js";
import { loadModel } from "#dist/index.js";
import { allocateWork } from "#dist/graph/work-plan.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { dummyMetadata } from "#dist/tools/dummy/metadata.js";
import { dummyShapes, dummyTensors } from "#dist/tools/dummy/shapes.js";
import { writeDummyModel } from "#dist/tools/dummy/dummy.js";
import { inspectFile, type Inspection, inspectModel } from "#dist/tools/inspect.js";
import { createCountingAllocator, createMemories } from "#dist/wasm/memory.js";
import { weightFormatByName, type WeightFormat } from "#dist/weight-formats/index.js";
import { i14Input, i8Input } from "#dist/packing/input-formats.js";
import {
  arrayOf,
  entry,
  f32,
  ggufBytes,
  tensor,
  text,
  u32,
  u64,
  type FileParts,
} from "../support/gguf-bytes.js";
import { starterPath } from "../support/golden-path.js";

interface EstimateFor {
  readonly packing?: "fast" | "small";
  readonly contextLength?: number;
  readonly threads?: number;
}

async function inspect(bytes: Uint8Array, options?: EstimateFor): Promise<Inspection> {
  return inspectFile(await openModelFile(bytesSource(bytes)), { threads: 1, ...options });
}
const inspectParts = (parts: FileParts): Promise<Inspection> => inspect(ggufBytes(parts));

describe("inspectFile", () => {
  it("describes the embedded model", async () => {
    const bytes = readFileSync(starterPath);
    const { architecture, metadata, tensors, summary } = await inspect(bytes);
    expect(architecture).toBe("bitnet-b1.58");
    expect(metadata["bitnet-b1.58.block_count"]).toBe(6);
    expect(metadata["tokenizer.ggml.tokens"]).toEqual({
      type: "string[]",
      length: 4096,
      first: ["!", '"', "#", "$", "%", "&", "'", "("],
    });
    expect(tensors.length).toBe(68);
    expect(tensors[0]).toEqual({
      name: "token_embd.weight",
      shape: [256, 4096],
      type: "F16",
      bytes: 2097152,
    });
    const ternary = 6 * (256 * 256 * 2 + 256 * 128 * 2 + 256 * 768 * 3);
    expect(summary.ternaryParameters).toBe(ternary);
    expect(summary.parameters).toBe(ternary + 256 * 4096 + 6 * (256 * 3 + 768) + 256);
    expect(summary.bytesByType).toEqual({ F16: 2097152, F32: 37888, I2_S: ternary / 4 + 42 * 32 });
    expect(summary.fileBytes).toBe(bytes.length);
    expect(summary.problem).toBeNull();
    // 6 layers of 2 heads of 64, keys and values in halves, for 256 positions.
    expect(summary.estimatedMemory).toMatchObject({
      // Codes without the 32 bytes after each matrix, the codes of `down` by columns too, and norms.
      weights: ternary / 4 + (6 * 256 * 768) / 4 + 37888,
      head: 2097152,
      headScreened: false,
      kvCache: 6 * 2 * 128 * 2 * 256,
      contextLength: 256,
      threads: 1,
    });
    expect(summary.kvBytesPerPosition).toBe(6 * 2 * 128 * 2);
    expect(summary.bytesPerToken).toBe(ternary / 4 + 37888 + 2097152);
  });

  it("is plain data that JSON keeps, for any metadata", async () => {
    const inspection = await inspectParts({
      keys: [
        entry("general.architecture", 4, u32(7)),
        entry("not a number", 6, f32(NaN)),
        entry("infinite", 6, f32(-Infinity)),
        entry("big", 10, u64(2n ** 64n - 1n)),
        entry("long", 8, text("x".repeat(100_000))),
        entry("nested", 9, arrayOf(9, 1, [arrayOf(11, 1, [u64(-1)])])),
        entry("__proto__", 8, text("harmless")),
      ],
      tensors: [tensor("t", [4], 99, 0)],
      dataBytes: 64,
    });
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    expect(inspection.architecture).toBeNull();
    expect(inspection.metadata).toMatchObject({
      "not a number": "NaN",
      infinite: "-Infinity",
      big: "18446744073709551615",
      long: { type: "string", length: 100_000 },
      nested: { type: "array[]", length: 1, first: [{ length: 1, first: ["-1"] }] },
    });
    expect(Object.keys(inspection.metadata)).toContain("__proto__");
    expect(inspection.tensors).toEqual([{ name: "t", shape: [4], type: "type 99", bytes: 64 }]);
    expect(inspection.summary.estimatedMemory.kvCache).toBeNull();
  });

  it("describes a file that is not a model with its tensors' size and its fault", async () => {
    const { summary } = await inspectParts({
      keys: [entry("general.architecture", 8, text("mamba")), entry("mamba.context_length", 4, u32(64))],
      tensors: [tensor("token_embd.weight", [8, 4], 0, 0), tensor("output.weight", [8, 4], 0, 128)],
      dataBytes: 256,
    });
    expect(summary.bytesPerToken).toBe(128);
    expect(summary.problem).toMatch(/its architecture is "mamba", which has no graph here/);
    expect(summary.estimatedMemory).toEqual({
      weights: 128,
      head: 128,
      headScreened: false,
      kvCache: null,
      work: null,
      contextLength: 64,
      threads: 1,
      total: 256,
    });
  });
});

describe("inspectFile's estimates", () => {
  it.each([["tiny"], ["125M"]])("equal the memory of a loaded %s", async (size) => {
    const folder = await mkdtemp(join(tmpdir(), "bitnet-inspect-"));
    try {
      const path = join(folder, "model.gguf");
      await writeDummyModel({ size, path });
      const { summary } = await inspect(readFileSync(path), { contextLength: 200, threads: 2 });
      const { weights, head, kvCache, work } = summary.estimatedMemory;
      await using model = await loadModel(path, { contextLength: 200, threads: 2 });
      const { memoryBytes } = model.info;
      expect(head).toBe(memoryBytes.head);
      expect(kvCache).toBe(memoryBytes.kvCache);
      // The difference is the team's barrier. Rotary tables count as work.
      const shape = dummyShapes.get(size) ?? expect.fail(size);
      const tables = 200 * (shape.width / shape.heads) * 4;
      expect(memoryBytes.weights - weights).toBeGreaterThanOrEqual(0);
      expect(memoryBytes.weights - weights).toBeLessThan(16_384);
      expect(work).toBeGreaterThan(tables);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("count buffers as real memories do", () => {
    const sizes = {
      layers: 3,
      width: 256,
      feedForward: 768,
      heads: 4,
      kvHeads: 2,
      headSize: 64,
      vocabSize: 5000,
      contextLength: 512,
    };
    const model = {
      sizes,
      layers: [0, 0, 1].map((region) => ({
        region,
        output: { outputNorm: undefined },
        down: { outputNorm: undefined },
      })),
      headRegion: 1,
      embeddingRegion: 1,
      screen: {},
    };
    const options = {
      id: 1,
      contextLength: 300,
      workers: 3,
      inputFormats: [i8Input, i14Input],
      lookups: [{ rows: 200, lookupSeries: 1 }],
    };
    const counting = createCountingAllocator(2);
    allocateWork(counting, model, options);
    const memories = createMemories();
    memories.addRegion();
    memories.addRegion();
    allocateWork(memories, model, options);
    expect(counting.takenBytes()).toBe(memories.regions.reduce((sum, { usedBytes }) => sum + usedBytes, 0));
    memories.dispose();
  });

  /** A dummy model of zeros without data. inspect reads only the header. */
  async function inspectShape(
    size: string,
    options?: EstimateFor,
    matrixTypeId?: number,
  ): Promise<Inspection> {
    const shape = dummyShapes.get(size) ?? expect.fail(size);
    const formats = { embedding: "f16", norm: "f32", linear: "i2_s", residual: "i2_s" } as const;
    const tensors = dummyTensors(shape).map(({ name, shape: dimensions, role }) => {
      const plan = planTensor(name, dimensions, weightFormatByName(formats[role]) as WeightFormat);
      return plan.typeId === 36 ? { ...plan, typeId: matrixTypeId ?? plan.typeId } : plan;
    });
    const { bytes } = encodeGgufHeader({ metadata: await dummyMetadata(size, shape, undefined), tensors });
    const dataBytes = tensors.reduce((sum, plan) => sum + Math.ceil(plan.bytes / 32) * 32, 0);
    const source = bytesSource(bytes);
    return inspectFile(
      await openModelFile({
        name: "nowhere",
        size: bytes.length + dataBytes,
        async readInto(offset, target) {
          target.fill(0);
          target.set(bytes.subarray(offset, offset + target.length));
        },
        read: (offset, length) => source.read(offset, Math.min(length, bytes.length - offset)),
        close: async () => undefined,
      }),
      { threads: 1, ...options },
    );
  }

  it("know 2B4T's: a screen in place of its head, a cache that grows with the context", async () => {
    const { summary } = await inspectShape("2B4T", { threads: 2 });
    const { weights, head, headScreened, kvCache, work } = summary.estimatedMemory;
    expect(summary.problem).toBeNull();
    // 2.085 thousand million ternary weights at 2 bits, `down` twice, and norms.
    const columns = (30 * 2560 * 6912) / 4;
    expect(Math.abs((weights - columns) / 521e6 - 1)).toBeLessThan(0.01);
    expect([head, headScreened]).toEqual([128_256 * (2560 + 16), true]);
    expect(kvCache).toBe(30 * 2 * 5 * 128 * 2 * 4096);
    expect(work).toBeLessThan(64e6);
    expect(summary.bytesPerToken).toBe(weights - columns + head);

    const half = (await inspectShape("2B4T", { threads: 2, contextLength: 2048 })).summary;
    expect(half.estimatedMemory).toMatchObject({ weights, head, kvCache: (kvCache ?? 0) / 2 });
    expect(half.estimatedMemory.work).toBeLessThan(work ?? 0);
  });

  it("give each memory of 4 GiB its working buffers", async () => {
    const one = (await inspectShape("7B")).summary.estimatedMemory;
    const seven = (await inspectShape("100B", { packing: "fast" })).summary.estimatedMemory;
    expect(seven.weights).toBeGreaterThan(5 * 2 ** 32);
    // Activations are about twice as wide, in seven memories.
    expect(seven.work).toBeGreaterThan(8 * (one.work ?? 0));
  });

  it("count base 3 at 1.6875 bits per weight or less, and give it to models that do not fit in two bits", async () => {
    for (const size of ["2B4T", "3.8B", "7B", "13B", "30B", "70B", "100B"]) {
      const { summary } = await inspectShape(size, { packing: "small" });
      expect(summary.packing).toBe("small");
      expect((summary.estimatedMemory.weights * 8) / summary.ternaryParameters).toBeLessThan(1.6875);
      expect(summary.bytesPerToken).toBe(summary.estimatedMemory.weights + summary.estimatedMemory.head);
    }
    expect((await inspectShape("125M")).summary.packing).toBe("fast");
    expect((await inspectShape("100B", { contextLength: 2 ** 40 })).summary.packing).toBe("small");
  });

  it("accept a context beyond the model's, and report it", async () => {
    const { summary } = await inspectShape("125M", { contextLength: 4096 });
    expect(summary.problem).toMatch(/4096 tokens is more than the model supports \(2048\)/);
    expect(summary.estimatedMemory.kvCache).toBe(11 * 2 * 768 * 2 * 4096);
  });

  it("take a type that no kernel reads at its size in the file, and say so", async () => {
    const { summary } = await inspectShape("125M", {}, 38);
    expect(summary.problem).toMatch(/has type TL1, whose layout depends on the build that wrote it/);
    const { TL1: matrices = 0, F32: norms = 0 } = summary.bytesByType;
    expect(matrices).toBeGreaterThan(20e6);
    expect(summary.estimatedMemory).toMatchObject({ weights: matrices + norms, headScreened: false });
    expect(summary.ternaryParameters).toBe(0);
  });
});

describe("inspectModel", () => {
  it("describes a path and bytes alike, for the host's threads unless told otherwise", async () => {
    const inspection = await inspectModel(starterPath, { contextLength: 64 });
    expect(inspection.architecture).toBe("bitnet-b1.58");
    expect(inspection.summary.problem).toBeNull();
    expect(inspection.summary.estimatedMemory).toMatchObject({
      contextLength: 64,
      threads: availableParallelism(),
    });
    expect(await inspectModel(readFileSync(starterPath), { contextLength: 64 })).toEqual(inspection);
    const { summary } = await inspectModel(starterPath, { threads: 3 });
    expect(summary.estimatedMemory.threads).toBe(3);
  });

  it("describes the embedded model by default", async () => {
    expect((await inspectModel()).tensors.length).toBeGreaterThan(0);
  });

  it("refuses options out of range and missing files, and stops by the signal", async () => {
    for (const options of [{ threads: 0 }, { threads: 257 }, { contextLength: 0 }, { context: 1 }]) {
      await expect(inspectModel(starterPath, options), JSON.stringify(options)).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
    await expect(inspectModel("no-such-file.gguf")).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await expect(inspectModel(starterPath, { signal })).rejects.toBe(reason);
  });
});
