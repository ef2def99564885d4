import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startEngine } from "#dist/engine/engine.js";
import { openModelFile } from "#dist/files/index.js";
import type { ByteSource } from "#dist/platform/byte-source.js";
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

describe("loading with several reads under way", () => {
  const options = {
    contextLength: 16,
    freeBytes: 1 << 30,
    onBytes: () => undefined,
    signal: undefined,
    head: "screened",
  } as const;

  /** Reads that end in another order than they began, and how many are under way. */
  function unevenReads(bytes: Uint8Array) {
    const reads = { now: 0, max: 0, begun: 0 };
    const source = bytesSource(bytes);
    async function readInto(offset: number, target: Uint8Array): Promise<void> {
      reads.begun += 1;
      reads.now += 1;
      reads.max = Math.max(reads.max, reads.now);
      await setTimeout((reads.begun * 7) % 5);
      await source.readInto(offset, target);
      reads.now -= 1;
    }
    const uneven: ByteSource = {
      ...source,
      readInto,
      async read(offset, length) {
        const target = new Uint8Array(length);
        await readInto(offset, target);
        return target;
      },
    };
    return { reads, uneven };
  }

  async function logitsOf(source: ByteSource, threads: number) {
    const engine = await startEngine(await openModelFile(source), { ...options, threads });
    try {
      using session = engine.openSession(16);
      return await session.evaluate([1, 2, 3], { logits: "all" });
    } finally {
      await engine.dispose();
    }
  }

  it.each([0, 1, 2])("has the bits of reads in order, on %i threads", async (threads) => {
    const bytes = readFileSync(starterPath);
    const { reads, uneven } = unevenReads(bytes);
    expect(await logitsOf(uneven, threads)).toEqual(await logitsOf(bytesSource(bytes), threads));
    expect(reads.max).toBeGreaterThan(2);
  });

  it("fails with the first failure, when no read is under way, and begins no others", async () => {
    const bytes = new Uint8Array(readFileSync(starterPath));
    const { tensors } = await openModelFile(bytesSource(bytes));
    const norm = tensors.get("blk.0.attn_norm.weight");
    new DataView(bytes.buffer).setFloat32(norm?.offset ?? 0, NaN, true);
    const { reads, uneven } = unevenReads(bytes);
    const file = await openModelFile(uneven);
    await expect(startEngine(file, { ...options, threads: 2 })).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      message: expect.stringContaining("blk.0.attn_norm.weight") as unknown,
    });
    const { begun } = reads;
    expect(reads.now).toBe(0);
    await setTimeout(20);
    expect(reads.begun).toBe(begun);
  });
});
