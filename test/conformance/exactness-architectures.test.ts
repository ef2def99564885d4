import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { type GeneratedPiece, type LanguageModel, loadModel, type LoadOptions } from "#dist/index.js";
import { startEngine } from "#dist/engine/engine.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { makeTinyModel } from "../support/tiny-model.js";
import { architectureCases, slidingGemma } from "./architecture-cases.js";
import { loadOrSkip, plainest, requireSameBits, requireSamePieces } from "./exactness.js";
import { rowOf } from "./intermediates.js";
import { modelFamilies } from "./model-families.js";

// The threads share norms of heads and of projections, windows and two ropes in other ways than the other
// operations. The result must have the same bits.

/** More tokens than one pass takes, so that windows reach into earlier passes. */
const ids: readonly number[] = Array.from({ length: 83 }, (_, i) => (i * 89 + 7) % 256);

const computations: readonly LoadOptions[] = [
  { threads: 2, engine: { kernelBuild: "simd128", dotForm: "i8" } },
  { threads: 3, engine: { kernelBuild: "simd128", dotForm: "i8" } },
  { threads: 1, engine: { kernelBuild: "relaxed", dotForm: "i16" } },
  { threads: 2, engine: { kernelBuild: "relaxed", dotForm: "i32" } },
  { threads: 5, engine: { kernelBuild: "relaxed", dotForm: "i16" } },
];

const chosen = architectureCases.filter(({ name }) =>
  [
    "qwen3, a norm before each ternary projection",
    "gemma3, sliding windows and two bases",
    "gemma3, a norm before each ternary projection, heads of 256",
    "llama, biases, linear scaling, a part of each head turning",
    "bitnet, heads of 20, which are no whole vectors",
  ].includes(name),
);

it("has found its models", () => {
  expect(chosen).toHaveLength(5);
});

/** A format of each layout of affine panels. The embedding and the head have 8 bits. */
const quantized = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q6_K", "Q2_K"].map((matrices) => {
  const { metadata, tensors } =
    modelFamilies.find(({ name }) => name === "Bonsai")?.model({ matrices, vectors: "F32" }) ?? expect.fail();
  return {
    name: `qwen3 in ${matrices}`,
    metadata,
    tensors,
    formats: { matrices, vectors: "F32", embedding: "Q8_0" } as const,
  };
});

describe.each([...chosen, ...quantized])("$name", ({ metadata, tensors, formats }) => {
  let bytes: Uint8Array;
  let reference: LanguageModel;
  /** [ids][vocabulary] */
  let logits: Float32Array;
  beforeAll(async () => {
    ({ bytes } = await makeTinyModel(metadata, tensors, formats, 11));
    reference = await loadModel(bytes, plainest);
    using session = reference.createSession();
    logits = await session.evaluate(ids, { logits: "all" });
  });
  afterAll(() => reference?.dispose());

  it("has the same bits one by one and in odd pieces", async () => {
    await requireSamePieces(reference, ids, logits, [1]);
    await requireSamePieces(reference, ids, logits, [3, 1, 7, 5, 64, 2]);
  });

  it.for(computations)(
    "has the same bits in the $engine.kernelBuild build, $engine.dotForm form, $threads threads: at once, one by one, in odd pieces",
    async (options, context) => {
      await using model = await loadOrSkip(bytes, options, context);
      using session = model.createSession();
      requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
      await requireSamePieces(model, ids, logits, [1]);
      await requireSamePieces(model, ids, logits, [3, 1, 7, 5, 64, 2]);
    },
  );
});

it("heads that are no whole vectors are copied from cache to cache whole", async () => {
  const { metadata, tensors, formats } =
    chosen.find(({ name }) => name.includes("heads of 20")) ?? expect.fail();
  const { bytes } = await makeTinyModel(metadata, tensors, formats, 11);
  await using model = await loadModel(bytes, plainest);
  const prompt = "Once upon a time there was a fox who had seen the whole of the valley from the hill.";
  const logprobsOf = async (pieces: AsyncIterable<GeneratedPiece>): Promise<unknown[]> => {
    const all = [];
    for await (const { tokenId, logprob } of pieces) all.push([tokenId, logprob]);
    return all;
  };
  const options = { maxTokens: 12, temperature: 0, logprobs: true };
  const alone = await logprobsOf(model.generate(prompt, options));
  await using scheduler = model.createScheduler({ parallel: 3, contextLength: 128 });
  const together = [1, 2, 3].map(() => logprobsOf(scheduler.generate(prompt, options)));
  expect(await Promise.all(together)).toEqual([alone, alone, alone]);
});

it("two ropes and norms behind projections have the same bits over several memories", async () => {
  const { metadata, tensors, formats } = slidingGemma(24);
  const { bytes } = await makeTinyModel(metadata, tensors, formats, 11);
  await using reference = await loadModel(bytes, plainest);
  using whole = reference.createSession();
  const logits = await whole.evaluate(ids, { logits: "all" });
  const engine = await startEngine(await openModelFile(bytesSource(bytes)), {
    threads: 2,
    contextLength: undefined,
    freeBytes: 1 << 30,
    onBytes: () => undefined,
    signal: undefined,
    regionBytes: 2 << 20,
  });
  try {
    expect(new Set(engine.model.layers.map((layer) => layer.region)).size).toBeGreaterThan(1);
    using session = engine.openSession(ids.length);
    requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
    session.truncate(0);
    for (const [t, id] of ids.slice(0, 20).entries()) {
      const expected = rowOf(logits, t, logits.length / ids.length);
      requireSameBits(await session.evaluate([id]), expected, `token ${t}`);
    }
  } finally {
    await engine.dispose();
  }
});
