import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { openModelFile } from "#dist/files/index.js";
import { type LanguageModel, loadModel, type EngineOptions } from "#dist/index.js";
import { startEngine } from "#dist/engine/engine.js";
import { openFileSource } from "#dist/platform/node.js";
import { goldenAvailable, goldenMissing, goldenPath, starterPath } from "../support/golden-path.js";
import { formatOf, reformatModel } from "../support/reformatted-model.js";
import {
  loadOrSkip,
  plainest,
  promptIds,
  requireSameBits,
  requireSamePieces,
  sampledPrompt,
  sampling,
} from "./exactness.js";
import { rowOf } from "./intermediates.js";

/** By number of threads: unequal ones, and one that gets next to nothing. */
const sharesOf: Readonly<Record<number, readonly number[] | undefined>> = { 2: [5, 2], 3: [3, 0.01, 1.7] };

const computations: readonly { readonly threads: number; readonly engine: EngineOptions }[] = [
  { kernelBuild: "simd128", dotForm: "i8", lookup: true } as const,
  { kernelBuild: "relaxed", dotForm: "i8", lookup: false } as const,
  { kernelBuild: "relaxed", dotForm: "i16", lookup: false } as const,
  { kernelBuild: "relaxed", dotForm: "i16", lookup: true } as const,
  { kernelBuild: "relaxed", dotForm: "i32", lookup: false } as const,
].flatMap((engine) =>
  [1, 2, 3].map((threads) => ({ threads, engine: { ...engine, shares: sharesOf[threads] } })),
);

interface ExactModel {
  readonly name: string;
  readonly source: string | (() => Promise<Uint8Array>);
  readonly available: boolean;
}

/** The storyteller with its ternary matrices in groups. Their matmuls add up scales in one fixed order. */
async function storytellerIn(format: string): Promise<Uint8Array> {
  const isTernary = (tensor: string): boolean => tensor !== "token_embd.weight";
  const { model } = await reformatModel(starterPath, (tensor) =>
    isTernary(tensor) ? formatOf(format) : undefined,
  );
  return model;
}

const models: readonly ExactModel[] = [
  { name: "storyteller", source: starterPath, available: true },
  { name: "storyteller in groups of 128", source: () => storytellerIn("TQ2_0"), available: true },
  { name: "storyteller in groups of 64", source: () => storytellerIn("Q2_0"), available: true },
  {
    name: "tiny-bitnet-b1.58-i2_s",
    source: goldenPath("tiny-bitnet-b1.58-i2_s/model.gguf"),
    available: goldenAvailable,
  },
  { name: "tiny-bitnet-i2_s", source: goldenPath("tiny-bitnet-i2_s/model.gguf"), available: goldenAvailable },
  { name: "tiny-llama-i2_s", source: goldenPath("tiny-llama-i2_s/model.gguf"), available: goldenAvailable },
];

describe.each(models)("$name", ({ source, available }) => {
  let path: string | Uint8Array;
  let reference: LanguageModel;
  let ids: readonly number[];
  /** [ids][vocabulary] */
  let logits: Float32Array;
  let sampledText: string;
  beforeAll(async () => {
    if (!available) return;
    path = typeof source === "string" ? source : await source();
    reference = await loadModel(path, plainest);
    ids = promptIds(reference);
    using session = reference.createSession();
    logits = await session.evaluate(ids, { logits: "all" });
    sampledText = await reference.complete(sampledPrompt, sampling);
  });
  afterAll(() => reference?.dispose());

  const needsData = (context: TestContext): void => {
    if (!available) context.skip(goldenMissing);
  };
  const requirePieces = (model: LanguageModel, sizes: readonly number[]): Promise<void> =>
    requireSamePieces(model, ids, logits, sizes);
  const row = (index: number): Float32Array => rowOf(logits, index, logits.length / ids.length);

  // Form i8 in the relaxed build uses the same instructions, so one run is enough.
  const some = computations.filter(
    ({ engine: { kernelBuild, dotForm } }) => kernelBuild !== "relaxed" || dotForm !== "i8",
  );
  it.for(source === starterPath ? computations : some)(
    "has the same bits in the $engine.kernelBuild build, $engine.dotForm form, lookup tables $engine.lookup, $threads threads: at once, one by one, in odd pieces",
    async (options, context) => {
      needsData(context);
      await using model = await loadOrSkip(path, options, context);
      expect(model.info.threads).toBe(options.threads);
      expect(model.info.kernelBuild).toMatch(
        new RegExp(`^${options.engine.kernelBuild}/${options.engine.dotForm}(/256)?$`),
      );
      using session = model.createSession();
      requireSameBits(await session.evaluate(ids, { logits: "all" }), logits, "all at once");
      await requirePieces(model, [1]);
      await requirePieces(model, [3, 1, 7, 5, 64, 2]);
      expect(await model.complete(sampledPrompt, sampling)).toBe(sampledText);
    },
  );

  it.for([
    { threads: 2, engine: { sparsity: "off" } },
    { threads: 1, engine: { sparsity: "on", kernelBuild: "simd128" } },
    { threads: 2, engine: { sparsity: "on", kernels256: false } },
    { threads: 3, engine: { sparsity: "on", head: "screened" } },
    { threads: 2, engine: { sparsity: "auto" } },
  ] as const)(
    "has the same bits with sparsity $engine.sparsity and $threads threads",
    async (options, context) => {
      needsData(context);
      await using model = await loadModel(path, options);
      await requirePieces(model, [1]);
      await requirePieces(model, [2, 1, 1]);
      expect(await model.complete(sampledPrompt, sampling)).toBe(sampledText);
    },
  );

  it.for([
    { threads: 2, engine: { sparsity: "on", head: "screened" } },
    { threads: 3, engine: { sparsity: "on", head: "screened", kernels256: false } },
    { threads: 1, engine: { sparsity: "on", head: "screened", kernelBuild: "simd128" } },
  ] as const)(
    "writes the same tokens with every lever pulled at once: %j, and drafts",
    async (options, context) => {
      needsData(context);
      const wanted = { maxTokens: 60, temperature: 0, speculation: "off" } as const;
      await using model = await loadModel(path, options);
      for (const prompt of [sampledPrompt, "the king said, the king said,"]) {
        const text = await model.complete(prompt, { ...wanted, speculation: "prompt-lookup" });
        expect(text).toBe(await reference.complete(prompt, wanted));
      }
    },
  );

  it("gives the last of all logits when asked for the last", async (context) => {
    needsData(context);
    await requirePieces(reference, [ids.length]);
    await requirePieces(reference, [64]);
  });

  it("keeps sessions apart that take turns", async (context) => {
    needsData(context);
    await using model = await loadModel(path, { threads: 2 });
    const sessions = [0, 1, 2].map(() => model.createSession());
    const begins = [0, 0, 0];
    // Each session evaluates the ids at its own pace. Calls do not wait for the previous call.
    await Promise.all(
      [3, 5, 7].flatMap((pace, index) =>
        Array.from({ length: 5 }, async () => {
          const begin = begins[index] ?? 0;
          begins[index] = begin + pace;
          const result = await sessions[index]?.evaluate(ids.slice(begin, begin + pace));
          requireSameBits(
            result ?? new Float32Array(0),
            row(begin + pace - 1),
            `session ${index}, from ${begin}`,
          );
        }),
      ),
    );
    for (const session of sessions) session.dispose();
  });

  it("continues after truncate as a fresh session would", async (context) => {
    needsData(context);
    await using model = await loadModel(path, { threads: 2 });
    using session = model.createSession();
    // A longer text runs first, so that leftovers in the cache would show.
    await session.evaluate([...ids].reverse());
    session.truncate(0);
    requireSameBits(await session.evaluate(ids.slice(0, 40)), row(39), "from the beginning");
    await session.evaluate(ids.slice(0, 20));
    session.truncate(33);
    expect(session.position).toBe(33);
    requireSameBits(await session.evaluate(ids.slice(33)), row(ids.length - 1), "from 33");
    session.truncate(ids.length - 1);
    requireSameBits(await session.evaluate(ids.slice(-1)), row(ids.length - 1), "the last again");
  });
});

describe("storyteller over several memories", () => {
  // The embedding takes 2 MiB. The other weights and the caches of the whole context do not fit beside it.
  // These memories have no room for lookup tables.
  it.each([
    { regionMiB: 2.5, regions: 2, sessionTokens: 8, threads: 1 },
    { regionMiB: 2.5, regions: 2, sessionTokens: 6, threads: 2 },
    { regionMiB: 3, regions: 2, sessionTokens: 12, threads: 3 },
  ])(
    "has the same bits in $regions memories of $regionMiB MiB with $threads threads",
    async ({ regionMiB, regions, sessionTokens, threads }) => {
      await using reference = await loadModel(starterPath, plainest);
      const ids = promptIds(reference).slice(0, sessionTokens);
      using session = reference.createSession();
      const expected = await session.evaluate(ids, { logits: "all" });

      await using source = await openStoryteller();
      const engine = await startEngine(source.file, {
        threads,
        contextLength: undefined,
        freeBytes: 1 << 30,
        onBytes: () => undefined,
        signal: undefined,
        regionBytes: regionMiB * (1 << 20),
      });
      try {
        const used = new Set([
          engine.model.embeddingRegion,
          ...engine.model.layers.map((layer) => layer.region),
        ]);
        expect(used.size).toBe(regions);
        using whole = engine.openSession(sessionTokens);
        requireSameBits(await whole.evaluate(ids, { logits: "all" }), expected, "all at once");
        whole.truncate(0);
        const vocabSize = expected.length / ids.length;
        for (const [t, id] of ids.entries()) {
          requireSameBits(await whole.evaluate([id]), rowOf(expected, t, vocabSize), `token ${t}`);
        }
      } finally {
        await engine.dispose();
      }
    },
  );

  async function openStoryteller(): Promise<
    { readonly file: Awaited<ReturnType<typeof openModelFile>> } & AsyncDisposable
  > {
    const bytes = await openFileSource(starterPath);
    return { file: await openModelFile(bytes), [Symbol.asyncDispose]: () => bytes.close() };
  }
});
