import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type GeneratedPiece,
  inspectModel,
  type LanguageModel,
  loadModel,
  type LoadOptions,
  perplexity,
} from "#dist/index.js";
import { modelDigest } from "#dist/batch/model-digest.js";
import { internalsOf } from "#dist/language-model/internals.js";
import { compileKernels, instantiateKernels } from "#dist/wasm/kernel-build.js";
import { createMemories } from "#dist/wasm/memory.js";
import { makeTinyModel } from "../support/tiny-model.js";
import { starterPath } from "../support/golden-path.js";
import { architectureCases } from "./architecture-cases.js";
import { loadOrSkip, plainest, requireSameBits, requireSamePieces } from "./exactness.js";

// A cache of int8 rounds attention. The rounding is defined (docs/NUMERICS.md), so the bits are the same on
// every build, for every number of threads and every division of a text.

const cacheType = "int8";

const computations: readonly LoadOptions[] = [
  { threads: 2, engine: { kernelBuild: "simd128", dotForm: "i8" } },
  { threads: 3, engine: { kernelBuild: "relaxed", dotForm: "i8", shares: [3, 0.01, 1.7] } },
  { threads: 1, engine: { kernelBuild: "relaxed", dotForm: "i16" } },
  { threads: 2, engine: { kernelBuild: "relaxed", dotForm: "i32", kernels256: false } },
  { threads: 5, engine: { kernelBuild: "relaxed", dotForm: "i32" } },
];

/** More tokens than two blocks of positions have, and a prime number. */
const storyIds: readonly number[] = Array.from({ length: 251 }, (_, i) => 300 + ((i * 89) % 700));
const tinyIds: readonly number[] = Array.from({ length: 127 }, (_, i) => (i * 89 + 7) % 256);

const tinyCases = architectureCases.filter(({ name }) =>
  [
    "gemma3, sliding windows and two bases",
    "gemma3, a norm before each ternary projection, heads of 256",
    "bitnet, heads of 20, which are no whole vectors",
  ].includes(name),
);

it("has found its models", () => {
  expect(tinyCases).toHaveLength(3);
});

const models = [
  {
    name: "storyteller",
    ids: storyIds,
    source: (): Promise<string | Uint8Array> => Promise.resolve(starterPath),
  },
  ...tinyCases.map(({ name, metadata, tensors, formats }) => ({
    name,
    ids: tinyIds,
    source: async (): Promise<string | Uint8Array> =>
      (await makeTinyModel(metadata, tensors, formats, 11)).bytes,
  })),
];

describe.each(models)("a cache of int8: $name", ({ ids, source }) => {
  let path: string | Uint8Array;
  let reference: LanguageModel;
  /** [ids][vocabulary] */
  let logits: Float32Array;
  beforeAll(async () => {
    path = await source();
    reference = await loadModel(path, { ...plainest, cacheType });
    using session = reference.createSession();
    logits = await session.evaluate(ids, { logits: "all" });
  });
  afterAll(() => reference?.dispose());

  it.for(computations)(
    "has the same bits by %j: at once, one by one, in odd pieces",
    async (options, context) => {
      await using model = await loadOrSkip(path, { ...options, cacheType }, context);
      using session = model.createSession();
      requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
      await requireSamePieces(model, ids, logits, [1]);
      await requireSamePieces(model, ids, logits, [3, 1, 7, 5, 64, 2]);
    },
  );

  it("rounds, and stays near the logits of a cache of halves", async () => {
    await using exact = await loadModel(path, plainest);
    using session = exact.createSession();
    const others = await session.evaluate(ids, { logits: "all" });
    const rms = (values: Float32Array): number =>
      Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    const mean = others.reduce((sum, value) => sum + value, 0) / others.length;
    const spread = rms(others.map((value) => value - mean));
    const difference = rms(others.map((value, i) => value - (logits[i] ?? NaN)));
    expect(difference).toBeGreaterThan(0);
    // Two correct engines differ by 0.03 to 0.05 of the spread, because int8 activations flip.
    expect(difference).toBeLessThan(0.1 * spread);
  });

  it("continues after truncate as a fresh session would", async () => {
    const vocabSize = logits.length / ids.length;
    const last = logits.subarray((ids.length - 1) * vocabSize);
    using session = reference.createSession();
    await session.evaluate([...ids].reverse());
    session.truncate(0);
    await session.evaluate(ids.slice(0, 50));
    await session.evaluate([...ids].reverse().slice(0, ids.length - 50));
    session.truncate(50);
    requireSameBits(await session.evaluate(ids.slice(50)), new Float32Array(last), "from 50");
  });
});

describe("copies of a cache of int8", () => {
  async function piecesOf(pieces: AsyncIterable<GeneratedPiece>): Promise<unknown[]> {
    const all = [];
    for await (const { tokenId, logprob } of pieces) all.push([tokenId, logprob]);
    return all;
  }

  // Beginnings that end within a block of 128 positions, at its end, and past it.
  it.each([20, 127, 128, 150])("continue a text of %i shared tokens with the same tokens", async (shared) => {
    await using model = await loadModel(starterPath, { threads: 2, cacheType });
    const text = model.detokenize(storyIds.slice(0, shared));
    const options = { maxTokens: 12, temperature: 0, logprobs: true } as const;
    const prompts = ["", " the fox", " a king and his three sons", ""].map((end) => text + end);
    const alone = [];
    for (const prompt of prompts) alone.push(await piecesOf(model.generate(prompt, options)));
    await using scheduler = model.createScheduler({ parallel: 4, contextLength: 256 });
    // Twice: the second time slots keep their beginnings, and copy the rest.
    for (let round = 0; round < 2; round += 1) {
      const together = prompts.map((prompt) => piecesOf(scheduler.generate(prompt, options)));
      expect(await Promise.all(together)).toEqual(alone);
    }
  });

  it("write the tokens of a text without drafts", async () => {
    await using model = await loadModel(starterPath, { threads: 2, cacheType });
    const prompt = "the king said, the king said, the king said,";
    const options = { maxTokens: 80, temperature: 0 } as const;
    const plain = await model.complete(prompt, { ...options, speculation: "off" });
    expect(await model.complete(prompt, { ...options, speculation: "prompt-lookup" })).toBe(plain);
  });
});

describe("the option cacheType", () => {
  it("halves the bytes of the cache, and says so", async () => {
    await using halves = await loadModel(starterPath, { threads: 1 });
    await using bytes = await loadModel(starterPath, { threads: 1, cacheType });
    expect([halves.info.cacheType, bytes.info.cacheType]).toEqual(["f16", "int8"]);
    // Heads of 64: 64 + 8 and 64 + 4 bytes for a key and a value instead of 128 each.
    expect(bytes.info.memoryBytes.kvCache / halves.info.memoryBytes.kvCache).toBeCloseTo(140 / 256, 6);
    for (const [model, type] of [
      [halves, "f16"],
      [bytes, "int8"],
    ] as const) {
      const { summary } = await inspectModel(starterPath, { cacheType: type });
      expect(summary.estimatedMemory.kvCache).toBe(model.info.memoryBytes.kvCache);
      expect(summary.kvBytesPerPosition).toBe(model.info.memoryBytes.kvCache / model.info.contextLength);
    }
  });

  it("takes no more memory than it says", async () => {
    await using model = await loadModel(starterPath, { threads: 1, cacheType });
    const { engine } = internalsOf(model);
    using cache = engine.openCache(200);
    // A cache has whole blocks of 128 positions.
    expect(cache.plan).toMatchObject({ contextLength: 200, cachePositions: 256 });
  });

  it("hardly changes the perplexity", async () => {
    await using halves = await loadModel(undefined, { threads: 2 });
    await using bytes = await loadModel(undefined, { threads: 2, cacheType });
    const stories = [1, 2, 3, 4, 5, 6].map((seed) =>
      halves.complete("Once upon a time", { maxTokens: 400, temperature: 0.8, seed }),
    );
    const text = (await Promise.all(stories)).join("\n\n");
    const [exact, rounded] = await Promise.all(
      [halves, bytes].map((model) => perplexity(model, text, { contextLength: 512 })),
    );
    expect(exact?.tokens).toBeGreaterThan(400);
    // 0.03 % over 40,000 tokens; a thousand tokens show less.
    const ratio = (rounded?.perplexity ?? NaN) / (exact?.perplexity ?? NaN);
    expect(ratio).toBeGreaterThan(0.99);
    expect(ratio).toBeLessThan(1.01);
  });

  it("gives a batch another identity, since its answers can differ", async () => {
    const digests = [undefined, "f16", "int8"] as const;
    const [usual, halves, bytes] = await Promise.all(digests.map((type) => modelDigest(starterPath, type)));
    expect(halves).toBe(usual);
    expect(bytes).not.toBe(usual);
  });

  it("passes on a number that is not finite, so that the caller sees it", async () => {
    const memories = createMemories(8 << 20);
    const { memory } = memories.addRegion();
    const kernels = instantiateKernels((await compileKernels()).module, memory);
    const take = (bytes: number): number => memories.allocate(0, bytes, "the test");
    const [row, keys, values, scratch] = [take(64), take(8192), take(8192), take(8192)];
    const head = new Float32Array(memory.buffer, row, 16);
    for (const [wrongKey, wrongValue] of [
      [NaN, 1],
      [1, NaN],
      [Infinity, 1],
      [1, Infinity],
    ] as const) {
      for (let position = 0; position < 3; position += 1) {
        head.fill(0.5).fill(position === 1 ? wrongKey : 1, 0, 1);
        kernels.store_keys_int8(row, 1, 0, 0, 1, 16, keys, 0, 128, position);
        head.fill(0.5).fill(position === 1 ? wrongValue : 1, 0, 1);
        kernels.store_values_int8(row, 1, 0, 0, 1, 16, values, 0, 128, position);
      }
      head.fill(1);
      kernels.attention_int8_dot_i8(
        row,
        64,
        keys,
        values,
        128,
        16,
        1,
        2,
        1,
        128,
        0.25,
        scratch,
        128,
        row,
        64,
      );
      expect(head.every(Number.isFinite)).toBe(false);
    }
  });

  it.each(["q8_0", "INT8", "", 8, null])("refuses %j", async (value) => {
    const wrong = { cacheType: value as unknown as "int8" };
    const expected = { code: "INVALID_ARGUMENT", details: { option: "cacheType", value } };
    await expect(loadModel(starterPath, wrong)).rejects.toMatchObject(expected);
    await expect(inspectModel(starterPath, wrong)).rejects.toMatchObject(expected);
  });
});
