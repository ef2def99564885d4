import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BitNetError,
  type LanguageModel,
  loadModel,
  type LoadOptions,
  type ModelSource,
} from "#dist/index.js";
import { makeTinyModel, type TinyFormats, type TinySizes } from "../support/tiny-model.js";
import { starterPath } from "../support/golden-path.js";
import { headNorms, makeCase, sevenNorms, subNorms } from "./architecture-cases.js";
import { loadOrSkip, plainest, promptIds, requireSameBits, requireSamePieces } from "./exactness.js";

// Layers that are read from disk in every pass give the same bits as layers in memory.

const sizes: TinySizes = {
  layers: 7,
  width: 256,
  feedForward: 512,
  heads: 2,
  kvHeads: 1,
  headSize: 128,
  vocabSize: 258,
};
const floats = (matrices: string): TinyFormats => ({ matrices, vectors: "F32" });

const models = [
  { name: "storyteller", source: () => Promise.resolve<ModelSource>(starterPath) },
  ...[
    makeCase("bitnet-b1.58", "I2_S", {
      sizes,
      vectors: subNorms(sizes),
      formats: { matrices: "I2_S", vectors: "F16" },
      without: {},
    }),
    makeCase("qwen3", "TQ1_0", {
      sizes,
      vectors: [...headNorms(sizes), ...sevenNorms(sizes)],
      formats: floats("TQ1_0"),
      without: {},
    }),
    makeCase("llama", "Q2_0", { sizes, formats: floats("Q2_0"), without: {} }),
    makeCase("llama", "Q4_K", { sizes, formats: floats("Q4_K"), without: {} }),
    makeCase("llama", "F16", { sizes, formats: floats("F16"), without: {} }),
  ].map(({ name, metadata, tensors, formats }) => ({
    name,
    source: async (): Promise<ModelSource> => (await makeTinyModel(metadata, tensors, formats, 17)).bytes,
  })),
];

/** The least memory that streaming needs. */
async function minMemory(source: ModelSource, options: LoadOptions = {}): Promise<number> {
  try {
    await using model = await loadModel(source, { ...options, threads: 0, stream: true, streamMemory: 0 });
    throw new Error(`${model.info.name} fits nothing`);
  } catch (error) {
    if (!(error instanceof BitNetError) || error.code !== "OUT_OF_MEMORY") throw error;
    return Number(error.details.bytes);
  }
}

const computations: readonly LoadOptions[] = [
  { ...plainest, threads: 0 },
  plainest,
  { threads: 2, packing: "fast" },
  { threads: 3, engine: { sparsity: "on" } },
  // Slots in several memories.
  { threads: 2, engine: { regionBytes: 12 << 20 } },
];

describe.each(models)("$name with layers on disk", ({ source }) => {
  let bytes: ModelSource;
  let resident: LanguageModel;
  let least: number;
  let ids: readonly number[];
  /** [ids][vocabulary] */
  let logits: Float32Array;
  beforeAll(async () => {
    bytes = await source();
    resident = await loadModel(bytes, plainest);
    least = await minMemory(bytes);
    ids = promptIds(resident);
    using session = resident.createSession();
    logits = await session.evaluate(ids, { logits: "all" });
  });
  afterAll(() => resident?.dispose());

  it.for(computations)("has the bits of layers in memory: %j", async (options, context) => {
    await using model = await loadOrSkip(
      bytes,
      { contextLength: 128, ...options, stream: true, streamMemory: least },
      context,
    );
    expect(model.info.stream?.layers).toBe(model.info.layers);
    using session = model.createSession();
    requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
    await requireSamePieces(model, ids, logits, [3, 64, 1, 15]);
  });

  it("keeps the layers in memory that fit", async () => {
    const layers = new Set<number | undefined>();
    const { weights } = resident.info.memoryBytes;
    for (let extra = 0; !layers.has(undefined); extra += Math.ceil(weights / 8)) {
      const options = { threads: 2, contextLength: 128, stream: true, streamMemory: least + extra };
      await using model = await loadModel(bytes, options);
      const { stream } = model.info;
      if (layers.has(stream?.layers)) continue;
      layers.add(stream?.layers);
      await requireSamePieces(model, ids, logits, [83, 1]);
    }
    // From all layers to none. One or two cannot take turns.
    expect([...layers][0]).toBe(resident.info.layers);
    expect(layers.has(1) || layers.has(2)).toBe(false);
    expect(layers.size).toBeGreaterThan(2);
  });
});

describe("a streamed model", () => {
  const options = { maxTokens: 24, temperature: 0 } as const;
  const prompts = ["Once upon a time", "The king said", "Once upon a time there was a fox", "A dog"];
  let least: number;
  let expected: readonly string[];
  let file: Uint8Array;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bitnet-stream-"));
    file = new Uint8Array(await readFile(starterPath));
    least = await minMemory(starterPath);
    await using resident = await loadModel(starterPath, { threads: 1 });
    const texts: string[] = [];
    for (const prompt of prompts) texts.push(await resident.complete(prompt, options));
    expected = texts;
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const load = (source: ModelSource, more: LoadOptions = {}): Promise<LanguageModel> =>
    loadModel(source, { threads: 2, contextLength: 128, stream: true, streamMemory: least, ...more });

  it("writes the same texts in sessions and slots at the same time", async () => {
    await using model = await load(starterPath);
    const alone = await Promise.all(prompts.map((prompt) => model.complete(prompt, options)));
    expect(alone).toEqual(expected);
    await using scheduler = model.createScheduler({ parallel: 3 });
    const texts = await Promise.all(
      prompts.map(async (prompt) => {
        let text = "";
        for await (const piece of scheduler.generate(prompt, options)) text += piece.text;
        return text;
      }),
    );
    expect(texts).toEqual(expected);
  });

  it("reads each layer once for a pass of many tokens", async () => {
    let readBytes = 0;
    const blob = new Blob([file]);
    const slice = blob.slice.bind(blob);
    blob.slice = (begin = 0, end = 0, type) => {
      readBytes += end - begin;
      return slice(begin, end, type);
    };
    // The whole head, so that no rows of it are read.
    await using model = await load(blob, { engine: { head: "whole" } });
    const bytesPerPass = model.info.stream?.bytesPerPass ?? 0;
    using session = model.createSession();
    const ids = model.tokenize(prompts[2] ?? "");
    await session.evaluate(ids.slice(0, 1));
    const before = readBytes;
    await session.evaluate(ids);
    // Read-ahead may count a slot's layer for the pass before or after.
    expect((readBytes - before) / bytesPerPass).toBeGreaterThan(0.7);
    expect((readBytes - before) / bytesPerPass).toBeLessThan(1.3);
  });

  it("reports what it reads, before most of the weights are read", async () => {
    const seen: (readonly [unknown, number])[] = [];
    const path = join(folder, "reported.gguf");
    await writeFile(path, file);
    await using model = await load(path, {
      onProgress: ({ stage, stream, loadedBytes }) => {
        if (stage === "weights") seen.push([stream, loadedBytes]);
      },
    });
    const { stream } = model.info;
    const tensorBytes = stream?.tensorBytes ?? 0;
    const bytesPerPass = stream?.bytesPerPass ?? 0;
    expect(stream?.layers).toBe(model.info.layers);
    expect(tensorBytes).toBeGreaterThan(0.8 * file.length);
    expect(tensorBytes).toBeLessThan(file.length);
    expect(bytesPerPass).toBeGreaterThan(0.2 * tensorBytes);
    expect(bytesPerPass).toBeLessThan(0.8 * tensorBytes);
    expect(stream?.bytesPerSecond).toBeGreaterThan(1e5);
    expect(stream?.tokensPerSecond).toBeCloseTo((stream?.bytesPerSecond ?? 0) / bytesPerPass, 6);
    expect(seen[0]?.[0]).toEqual(stream);
    expect(seen[0]?.[1]).toBeLessThan(file.length - 0.9 * tensorBytes);
  });

  it("has no layers on disk if all of them fit", async () => {
    await using model = await load(starterPath, { streamMemory: 1e9 });
    expect(model.info.stream).toBeUndefined();
    expect(model.info.packing).toBe("fast");
    await using usual = await load(starterPath, { streamMemory: undefined });
    expect(usual.info.stream).toBeUndefined();
  });

  it("fails a request with FILE_READ while the file cannot be read, and works again later", async () => {
    let broken = false;
    const blob = new Blob([file]);
    const slice = blob.slice.bind(blob);
    blob.slice = (begin, end, type) => {
      if (broken) throw new Error("the disk is gone");
      return slice(begin, end, type);
    };
    await using model = await load(blob, { engine: { head: "whole" } });
    await using scheduler = model.createScheduler();
    const write = async (): Promise<string> => {
      let text = "";
      for await (const piece of scheduler.generate(prompts[0] ?? "", options)) text += piece.text;
      return text;
    };
    expect(await write()).toBe(expected[0]);
    broken = true;
    await expect(model.complete("Once", options)).rejects.toMatchObject({
      code: "FILE_READ",
      message: expect.stringContaining("the disk is gone"),
    });
    await expect(write()).rejects.toMatchObject({ code: "FILE_READ" });
    broken = false;
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    expect(await write()).toBe(expected[0]);
  });

  it.each([
    ["cut short", (path: string) => truncate(path, 1_000_000), /has changed|has become shorter/],
    ["written again", (path: string) => writeFile(path, file), /has changed/],
  ])("fails with FILE_READ after its file was %s", async (_, change, message) => {
    const path = join(folder, "changed.gguf");
    await writeFile(path, file);
    await using model = await load(path);
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await change(path);
    // Layers in the slots were read before. Each pass needs more.
    const failure = { code: "FILE_READ", message: expect.stringMatching(message) };
    await expect(model.complete("Once", options)).rejects.toMatchObject(failure);
    await expect(model.complete("Once", options)).rejects.toMatchObject(failure);
  });

  it("refuses weights that changed in a way that the workers do not know", async () => {
    const bytes = file.slice();
    await using model = await load(bytes, { engine: { head: "whole" } });
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    const { openModelFile } = await import("#dist/files/index.js");
    const { bytesSource } = await import("#dist/platform/memory-source.js");
    const { tensors } = await openModelFile(bytesSource(file));
    const down = tensors.get("blk.5.ffn_down.weight");
    const scaleAt = (down?.offset ?? 0) + ((down?.shape[0] ?? 0) * (down?.shape[1] ?? 0)) / 4;
    new DataView(bytes.buffer).setFloat32(scaleAt, 3.5, true);
    await expect(model.complete("Once", options)).rejects.toMatchObject({
      code: "FILE_READ",
      message: expect.stringContaining("layer 5"),
    });
    new Uint8Array(bytes.buffer).set(file.subarray(scaleAt, scaleAt + 4), scaleAt);
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    bytes[down?.offset ?? 0] = 0xff;
    await expect(model.complete("Once", options)).rejects.toMatchObject({ code: "FILE_CORRUPT" });
  });

  it("ends a pass between two layers on abort, and can be disposed during one", async () => {
    let reads = 0;
    const blob = new Blob([file]);
    const slice = blob.slice.bind(blob);
    const controller = new AbortController();
    let abortAt = Infinity;
    let onRead = (): void => undefined;
    blob.slice = (begin, end, type) => {
      reads += 1;
      if (reads === abortAt) onRead();
      return slice(begin, end, type);
    };
    const model = await load(blob, { engine: { head: "whole" } });
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    abortAt = reads + 20;
    onRead = () => controller.abort(new Error("enough"));
    using session = model.createSession();
    const { signal } = controller;
    await expect(session.evaluate([1, 2, 3], { signal })).rejects.toThrow("enough");
    expect(session.position).toBe(0);
    expect(await model.complete(prompts[0] ?? "", options)).toBe(expected[0]);
    abortAt = reads + 20;
    let disposal: Promise<void> | undefined;
    onRead = () => {
      disposal = model.dispose();
    };
    await expect(session.evaluate([1, 2, 3])).rejects.toMatchObject({ code: "DISPOSED" });
    await disposal;
    const after = reads;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads).toBe(after);
  });

  it("is refused with too little memory, and options that do not fit together", async () => {
    await expect(load(starterPath, { streamMemory: least - 1 })).rejects.toMatchObject({
      code: "OUT_OF_MEMORY",
      message: expect.stringMatching(/Cannot stream layers of .*: .* need \d+\.\d MiB, and \d+\.\d MiB are/),
    });
    await expect(load(starterPath, { stream: false })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `Invalid streamMemory: ${least} (expected no value unless stream is true)`,
    });
    await expect(loadModel(starterPath, { stream: "yes" as unknown as boolean })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: 'Invalid stream: "yes" (expected true or false)',
    });
  });
});
