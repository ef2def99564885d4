import { describe, expect, it } from "vitest";
import { startEngine } from "#dist/engine/engine.js";
import { openModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { openFileSource } from "#dist/platform/node.js";
import { starterPath } from "../support/golden-path.js";
import { rewriteModel } from "../support/rewritten-model.js";

describe("an engine with a screened head", () => {
  it("gives the model with its head after the head was read whole", async () => {
    const file = await openModelFile(await openFileSource(starterPath));
    const engine = await startEngine(file, {
      threads: 1,
      contextLength: 16,
      freeBytes: 1 << 30,
      onBytes: () => undefined,
      signal: undefined,
      head: "screened",
    });
    try {
      expect(engine.model.screen).toBeDefined();
      expect(engine.model.head).toBeUndefined();
      using session = engine.openSession(16);
      await session.evaluate([1, 2], { logits: "all" });
      const { vocabSize, width } = engine.model.sizes;
      expect(engine.model.head).toMatchObject({ rows: vocabSize, cols: width });
      expect(engine.model.embedding).toBe(engine.model.head);
    } finally {
      await engine.dispose();
      await file.source.close();
    }
  });
});

/** KV caches of this many bytes need two memories of 4 GiB. The host reserves them and touches few pages. */
const freeBytes = 6 * 2 ** 30;

describe("a model in memories of their real size", () => {
  async function logitsOf(source: Uint8Array, contextLength: number | undefined, threads: number) {
    const file = await openModelFile(bytesSource(source));
    const engine = await startEngine(file, {
      threads,
      contextLength,
      freeBytes,
      onBytes: () => undefined,
      signal: undefined,
      head: "screened",
    });
    try {
      const regions = new Set(engine.model.layers.map(({ region }) => region));
      using session = engine.openSession(engine.model.contextLength);
      const logits = await session.evaluate([1, 2, 3], { logits: "last" });
      return { logits, regions: regions.add(engine.model.headRegion).size };
    } finally {
      await engine.dispose();
    }
  }

  it.each([1, 2])("past 4 GiB has the bits of a small one, on %i threads", async (threads) => {
    const source = await rewriteModel(starterPath, ({ metadata }) => {
      metadata.set("bitnet-b1.58.context_length", { type: "uint32", value: 10_485_760 });
    });
    const large = await logitsOf(source, undefined, threads);
    const small = await logitsOf(source, 16, threads);
    expect([large.regions, small.regions]).toEqual([2, 1]);
    expect(large.logits).toEqual(small.logits);
  });
});
