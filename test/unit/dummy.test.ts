import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import type { ModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { openFileSource } from "#dist/platform/node.js";
import { writeDummyModel, type DummyProgress } from "#dist/tools/dummy.js";
import { dummyShapes, dummyTensors } from "#dist/tools/dummy-shapes.js";
import { extendVocabulary } from "#dist/tools/dummy-vocabulary.js";
import { createTableFill, ternaryCodeTable } from "#dist/tools/random-fill.js";
import { float16ToNumber } from "#dist/weight-formats/float16.js";
import { storytellerPath } from "../golden-path.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-dummy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function writeTiny(name: string, options: { seed?: number; type?: string } = {}): Promise<Uint8Array> {
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
  it.each([...dummyShapes])("%s has rows of whole I2_S blocks and even heads", (_, shape) => {
    for (const { role, shape: size } of dummyTensors(shape)) {
      if (role === "linear" || role === "residual") expect((size[0] ?? 0) % 128).toBe(0);
    }
    expect((shape.width / shape.heads) % 2).toBe(0);
    expect(shape.heads % shape.kvHeads).toBe(0);
  });

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

describe("createTableFill", () => {
  it("repeats itself for a seed and differs between seeds and streams", () => {
    const identity = Uint16Array.from({ length: 65_536 }, (_, index) => index);
    const draw = (seed: number, stream: number): string => {
      const values = new Uint16Array(7);
      createTableFill(seed, stream)(values, identity);
      return values.join();
    };
    expect(draw(1, 2)).toBe(draw(1, 2));
    expect(
      new Set([draw(0, 0), draw(0, 1), draw(1, 0), draw(1, 1), draw(-1, 0), draw(2 ** 40, 3)]).size,
    ).toBe(6);
  });

  it("draws ternary codes evenly, with mean zero and never a 3", () => {
    const values = new Uint16Array(200_000);
    createTableFill(5, 0)(values, ternaryCodeTable());
    const counts = [0, 0, 0, 0];
    for (const value of values) {
      for (let shift = 0; shift < 16; shift += 2) {
        const code = (value >>> shift) & 3;
        counts[code] = (counts[code] ?? 0) + 1;
      }
    }
    expect(counts[3]).toBe(0);
    // 1.6 million draws: five standard deviations are 0.0019.
    for (const count of counts.slice(0, 3)) expect(Math.abs(count / 1_600_000 - 1 / 3)).toBeLessThan(0.002);
  });
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

  it("writes F16 matrices where asked", async () => {
    const bytes = await writeTiny("f16.gguf", { type: "f16" });
    const file = await openModelFile(bytesSource(bytes));
    const query = file.tensors.get("blk.0.attn_q.weight") ?? expect.fail("no query matrix");
    expect(query.type).toBe("F16");
    const view = new DataView(bytes.buffer, bytes.byteOffset + query.offset, query.bytes);
    const limit = Math.sqrt(3 / 256);
    for (let at = 0; at < query.bytes; at += 2) {
      expect(Math.abs(float16ToNumber(view.getUint16(at, true)))).toBeLessThanOrEqual(limit * 1.001);
    }
  });

  it("tells its progress, to the end", async () => {
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

  it("refuses what it does not know, and leaves nothing when stopped", async () => {
    const path = join(folder, "stopped.gguf");
    for (const wrong of [{ size: "9B" }, { size: "tiny", type: "q9" }, { size: "tiny", seed: 0.5 }]) {
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
