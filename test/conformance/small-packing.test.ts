import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LanguageModel, loadModel, type LoadOptions } from "#dist/index.js";
import { makeTinyModel, type TinyFormats, type TinySizes } from "../support/tiny-model.js";
import { starterPath } from "../support/golden-path.js";
import { headNorms, makeCase, postNorms, sevenNorms, subNorms } from "./architecture-cases.js";
import { loadOrSkip, plainest, promptIds, requireSameBits, requireSamePieces } from "./exactness.js";

// Base 3 keeps the same integers, so the logits have the same bits as with two bits per weight.

/** Rows long enough for base 3 to be smaller, with and without a partly filled block of 160. */
const sizes: TinySizes = {
  layers: 2,
  width: 768,
  feedForward: 1280,
  heads: 6,
  kvHeads: 2,
  headSize: 128,
  vocabSize: 258,
};
const i2s: TinyFormats = { matrices: "I2_S", vectors: "F16" };
const tq1: TinyFormats = { matrices: "TQ1_0", vectors: "F32" };
const tq2: TinyFormats = { matrices: "TQ2_0", vectors: "F32" };

const cases = [
  makeCase("bitnet-b1.58", "I2_S", { sizes, vectors: subNorms(sizes), formats: i2s, without: {} }),
  makeCase("bitnet-b1.58", "TQ1_0", { sizes, vectors: subNorms(sizes), formats: tq1, without: {} }),
  makeCase("bitnet", "TQ2_0", { sizes, vectors: subNorms(sizes), formats: tq2, without: {} }),
  makeCase("llama", "I2_S", { sizes, formats: i2s, without: {} }),
  makeCase("qwen3", "TQ1_0", {
    sizes,
    vectors: [...headNorms(sizes), ...sevenNorms(sizes)],
    formats: tq1,
    without: {},
  }),
  makeCase("gemma3", "I2_S", {
    sizes,
    vectors: [...headNorms(sizes), ...postNorms(sizes)],
    formats: i2s,
    without: {},
  }),
].map(({ name, metadata, tensors, formats }) => ({
  name,
  layout: formats === i2s ? "base3-rows" : "base3-groups",
  source: async () => (await makeTinyModel(metadata, tensors, formats, 13)).bytes,
}));

const models = [
  { name: "storyteller", layout: "base3-rows", source: () => Promise.resolve(starterPath) },
  ...cases,
];

const computations: readonly LoadOptions[] = [
  plainest,
  { threads: 2, engine: { kernelBuild: "simd128", sparsity: "on" } },
  { threads: 1, engine: { kernelBuild: "relaxed", dotForm: "i16", kernels256: false } },
  { threads: 3, engine: { kernelBuild: "relaxed", dotForm: "i16", sparsity: "on" } },
  { threads: 2, engine: { kernelBuild: "relaxed", dotForm: "i32", sparsity: "off" } },
  { threads: 2, engine: { kernelBuild: "relaxed", dotForm: "i8", sparsity: "on" } },
  { threads: 5 },
];

describe.each(models)("$name in base 3", ({ source, layout }) => {
  let model: string | Uint8Array;
  let fast: LanguageModel;
  let ids: readonly number[];
  /** [ids][vocabulary] */
  let logits: Float32Array;
  beforeAll(async () => {
    model = await source();
    fast = await loadModel(model, { ...plainest, packing: "fast" });
    ids = promptIds(fast);
    using session = fast.createSession();
    logits = await session.evaluate(ids, { logits: "all" });
  });
  afterAll(() => fast?.dispose());

  it("is smaller", async () => {
    await using small = await loadModel(model, { ...plainest, packing: "small" });
    expect(small.info.packing).toBe("small");
    expect(small.info.layouts[layout]).toBeGreaterThan(0);
    expect(fast.info.packing).toBe("fast");
    expect(fast.info.layouts[layout]).toBeUndefined();
    expect(small.info.bytesPerToken).toBeLessThan(fast.info.bytesPerToken);
    expect(small.info.memoryBytes.weights).toBeLessThan(fast.info.memoryBytes.weights);
  });

  it.for(computations)("has the bits of two bits per weight: %j", async (options, context) => {
    await using small = await loadOrSkip(model, { ...options, packing: "small" }, context);
    using session = small.createSession();
    requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
    await requireSamePieces(small, ids, logits, [1]);
    await requireSamePieces(small, ids, logits, [3, 1, 7, 5, 64, 2]);
  });
});

it("is chosen by the free memory", async () => {
  await using model = await loadModel(starterPath, { threads: 1 });
  expect(model.info.packing).toBe("fast");
  await expect(loadModel(starterPath, { packing: "tiny" as "small" })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: 'Invalid packing: "tiny" (expected "auto", "fast", "small")',
  });
});
