import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import type { ModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { openFileSource } from "#dist/platform/node.js";
import { dummyTypes, writeDummyModel, type DummyProgress } from "#dist/tools/dummy/dummy.js";
import { dummyShapes, dummyTensors } from "#dist/tools/dummy/shapes.js";
import { extendVocabulary } from "#dist/tools/dummy/vocabulary.js";
import { createRandomFill } from "#dist/tools/dummy/random-fill.js";
import { createPoolFill, createWeightPool } from "#dist/tools/dummy/random-weights.js";
import { weightFormatByName, weightFormats, type WeightFormat } from "#dist/weight-formats/index.js";
import { storytellerPath } from "../support/golden-path.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-dummy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeTiny(
  name: string,
  options: { seed?: number; type?: string; headType?: string } = {},
): Promise<Uint8Array> {
  const path = join(folder, name);
  await writeDummyModel({ size: "tiny", path, ...options });
  return readFile(path);
}

async function storyteller(): Promise<ModelFile> {
  const source = await openFileSource(storytellerPath);
  try {
    return await openModelFile(source);
  } finally {
    await source.close();
  }
}

describe("dummyShapes", () => {
  it.each([...dummyShapes])(
    "%s has rows of whole blocks of every type, 3B of 64, and even heads",
    (name, shape) => {
      for (const { role, shape: size } of dummyTensors(shape)) {
        if (role !== "norm") expect((size[0] ?? 0) % (name === "3B" ? 64 : 256)).toBe(0);
      }
      expect((shape.width / shape.heads) % 2).toBe(0);
      expect(shape.heads % shape.kvHeads).toBe(0);
    },
  );

  it("2B4T has the official file's tensors: 1 embedding, 121 norms, 210 matrices", () => {
    const tensors = dummyTensors(dummyShapes.get("2B4T") ?? expect.fail("no 2B4T"));
    const count = (...roles: string[]): number => tensors.filter(({ role }) => roles.includes(role)).length;
    expect([tensors.length, count("embedding"), count("norm"), count("linear", "residual")]).toEqual([
      332, 1, 121, 210,
    ]);
  });
});

describe("extendVocabulary", () => {
  it("puts 2B4T's control tokens at their official ids", async () => {
    const vocabulary = extendVocabulary((await storyteller()).metadata, 128_256);
    expect(vocabulary.tokens.length).toBe(128_256);
    expect(new Set(vocabulary.tokens).size).toBe(128_256);
    expect([vocabulary.bosId, vocabulary.eosId, vocabulary.eotId]).toEqual([128_000, 128_001, 128_009]);
    expect(vocabulary.tokenTypes[127_999]).toBe(1);
    expect(vocabulary.tokenTypes[128_255]).toBe(3);
  });

  it.each([4096, 32_002, 1024])("keeps every token of its merges in a vocabulary of %i", async (size) => {
    const { tokens, merges, bosId, eotId } = extendVocabulary((await storyteller()).metadata, size);
    expect(tokens.length).toBe(size);
    expect(new Set(tokens).size).toBe(size);
    expect(bosId).toBe(size - 8);
    expect(eotId).toBeLessThan(size);
    const known = new Set(tokens);
    expect(merges.length).toBeGreaterThan(500);
    for (const merge of merges) {
      expect([...merge.split(" "), merge.replace(" ", "")].every((token) => known.has(token))).toBe(true);
    }
  });
});

describe("createRandomFill", () => {
  it("repeats itself for a seed and differs between seeds and streams", () => {
    const draw = (seed: number, stream: number): string => {
      const values = new Uint16Array(7);
      createRandomFill(seed, stream)(values);
      return values.join();
    };
    expect(draw(1, 2)).toBe(draw(1, 2));
    expect(
      new Set([draw(0, 0), draw(0, 1), draw(1, 0), draw(1, 1), draw(-1, 0), draw(2 ** 40, 3)]).size,
    ).toBe(6);
  });

  it("draws bits that are as often 0 as 1", () => {
    const values = new Uint16Array(100_000);
    createRandomFill(5, 0)(values);
    for (let bit = 0; bit < 16; bit += 1) {
      const ones = values.reduce((count, value) => count + ((value >>> bit) & 1), 0);
      // Five standard deviations of 100,000 samples.
      expect(Math.abs(ones / 100_000 - 0.5)).toBeLessThan(0.008);
    }
  });
});

/** Some formats are only read. */
const writtenFormats = weightFormats.filter(({ encode }) => encode !== undefined);

describe("createWeightPool", () => {
  it.each(writtenFormats.map((format) => [format.name, format] as const))(
    "%s has weights of mean zero and the spread asked for, in blocks to draw",
    (_, format) => {
      const pool = createWeightPool(format, 0.02, 7);
      const chunk = new Uint16Array(pool.blockWords * 20_000);
      createPoolFill(7, 3)(chunk, pool);
      const bytes = new Uint8Array([...new Uint8Array(chunk.buffer), ...pool.tail]);
      const values = format.decode(bytes, 20_000 * format.blockElements);

      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const square = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      // Five standard deviations of a mean of 20,000 blocks, or of 20,000 single weights.
      expect(Math.abs(mean)).toBeLessThan((5 * 0.02) / Math.sqrt(20_000));
      expect(Math.abs(Math.sqrt(square) / 0.02 - 1)).toBeLessThan(0.02);
      if (!format.ternary) return;
      const levels = new Set(values.map((value) => value + 0));
      expect(levels.size).toBe(format.name === "Q1_0" ? 2 : 3);
    },
  );
});

describe("writeDummyModel", () => {
  it("writes a model whose tensors decode to values of the intended spread", async () => {
    const bytes = await writeTiny("tiny.gguf");
    const file = await openModelFile(bytesSource(bytes));
    expect(file.metadata.get("general.architecture")).toBe("bitnet-b1.58");
    expect(file.metadata.get("tokenizer.ggml.bos_token_id")).toBe(4088);
    for (const { name, offset, bytes: length, shape, format } of file.tensors.values()) {
      const elements = shape.reduce((a, b) => a * b, 1);
      const values = format?.decode(bytes.subarray(offset, offset + length), elements) ?? expect.fail(name);
      const mean = values.reduce((a, b) => a + b, 0) / elements;
      const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / elements);
      if (name.includes("norm")) {
        expect(values.every((value) => value >= 0.9 && value <= 1.1)).toBe(true);
        continue;
      }
      const residual = name.includes("ffn_down") || name.includes("attn_output");
      const gain = name.includes("token_embd") ? 1.5 : residual ? 0.5 : 1;
      const expected = gain / Math.sqrt(shape[0] ?? 1);
      expect(Math.abs(deviation / expected - 1)).toBeLessThan(0.02);
      expect(Math.abs(mean)).toBeLessThan(expected * 0.03);
    }
  });

  it("writes the same file for a seed, and others for others", async () => {
    const [a, b, c] = [
      await writeTiny("a.gguf", { seed: 3 }),
      await writeTiny("b.gguf", { seed: 3 }),
      await writeTiny("c.gguf", { seed: 4 }),
    ];
    expect(Buffer.compare(a, b)).toBe(0);
    expect(Buffer.compare(a, c)).not.toBe(0);
  });

  it.each(dummyTypes)("writes matrices, and the embedding, as %s", async (type) => {
    const format = weightFormatByName(type) as WeightFormat;
    for (const options of [{ type }, { headType: type }]) {
      const bytes = await writeTiny("typed.gguf", options);
      const file = await openModelFile(bytesSource(bytes));
      for (const { name, type: written, offset, bytes: length, shape } of file.tensors.values()) {
        const isHead = name === "token_embd.weight";
        const expected = name.includes("norm") ? "F32" : isHead ? options.headType : (options.type ?? "i2_s");
        expect(written.toLowerCase()).toBe((expected ?? "f16").toLowerCase());
        if (written !== format.name) continue;
        const elements = shape.reduce((product, size) => product * size, 1);
        const values = format.decode(bytes.subarray(offset, offset + length), elements);
        expect(values.every((value) => Number.isFinite(value))).toBe(true);
        expect(new Set(values).size).toBeGreaterThan(1);
      }
    }
  });

  it("has every type by name, the fork's, too", () => {
    expect(dummyTypes).toEqual(writtenFormats.map(({ name }) => name.toLowerCase()));
  });

  it("refuses rows that are no whole blocks, and names types that fit", async () => {
    const path = join(folder, "odd.gguf");
    await expect(writeDummyModel({ size: "3B", path })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(
        /3B has rows of 8640 \("blk\.0\.ffn_down\.weight"\), and I2_S holds blocks of 128; types that fit: f32, f16, bf16, q2_0, q4_0, q5_0, q8_0$/,
      ),
      details: { cols: 8640, blockElements: 128 },
    });
    await expect(writeDummyModel({ size: "3B", path, type: "f16", headType: "q6_k" })).rejects.toMatchObject({
      message: expect.stringMatching(
        /rows of 3200 \("token_embd\.weight"\), and Q6_K .* types that fit: .*i2_s/,
      ),
    });
    expect((await readdir(folder)).filter((name) => name.includes("odd"))).toEqual([]);
  });

  it("reports its progress, to the end", async () => {
    const seen: DummyProgress[] = [];
    const path = join(folder, "progress.gguf");
    const { tensorBytes } = await writeDummyModel({
      size: "tiny",
      path,
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.at(-1)).toEqual({ stage: "write", loadedBytes: tensorBytes, totalBytes: tensorBytes });
    expect(seen.map(({ loadedBytes }) => loadedBytes)).toEqual(
      seen.map(({ loadedBytes }) => loadedBytes).sort((a, b) => a - b),
    );
  });

  it("refuses unknown names, and leaves no file when stopped", async () => {
    const path = join(folder, "stopped.gguf");
    for (const wrong of [
      { size: "9B" },
      { size: "tiny", type: "q9" },
      { size: "tiny", headType: "q3_k" },
      { size: "tiny", seed: 0.5 },
    ]) {
      await expect(writeDummyModel({ path, ...wrong })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const controller = new AbortController();
    const reason = new Error("enough");
    const writing = writeDummyModel({
      size: "125M",
      path,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(writing).rejects.toBe(reason);
    expect((await readdir(folder)).filter((name) => name.includes("stopped"))).toEqual([]);
  });
});
