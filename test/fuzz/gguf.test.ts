import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { openModelFile } from "#dist/files/index.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { inspectFile } from "#dist/tools/inspect.js";
import type { WeightFormat } from "#dist/weight-formats/index.js";
import { arrayOf, entry, f32, ggufBytes, tensor, text, u32, u64 } from "../support/gguf-bytes.js";
import { starterPath } from "../support/golden-path.js";

const allowedCodes = ["FILE_CORRUPT", "UNSUPPORTED_FILE"];
const timeoutMs = 2000;
const maxDecoded = 10_000;
const maxBytes = 64 * 2 ** 20;

const smallDataBytes = 2880;
/** Every kind of field in a few hundred bytes, so that mutations reach all of them. */
const small = ggufBytes({
  keys: [
    entry("general.architecture", 8, text("bitnet")),
    entry("general.alignment", 4, u32(32)),
    entry("f", 6, f32(1)),
    entry("b", 7, [1]),
    entry("u", 10, u64(5)),
    entry("i", 9, arrayOf(5, 3, [u32(1), u32(2), u32(3)])),
    entry("s", 9, arrayOf(8, 3, [text("a"), text("é"), text("🦊")])),
    entry("n", 9, arrayOf(9, 2, [arrayOf(0, 1, [1]), arrayOf(7, 1, [0])])),
  ],
  tensors: [
    tensor("t", [128, 2], 36, 0),
    tensor("u", [4], 0, 96),
    tensor("v", [2, 2, 1, 1], 1, 128),
    tensor("tq1_0", [256], 34, 160),
    // 64 blocks of 34 bytes. 128 blocks of 18 bytes do not fit.
    tensor("q2_0_g128", [128, 64], 42, 224),
    tensor("q6_k", [256], 14, 2400),
    tensor("q4_k", [256], 12, 2624),
    tensor("q8_0", [32], 8, 2784),
    tensor("q1_0", [128], 41, 2848),
  ],
  dataBytes: smallDataBytes,
});
/** A real file. Mutations change its header and the first tensors. */
const real = readFileSync(starterPath);
const realHeaderBytes = 150_000;

/** Values that break readers: the ends of ranges and their neighbours. */
const nastyWord = fc.constantFrom(
  0n,
  1n,
  2n,
  3n,
  4n,
  5n,
  9n,
  31n,
  127n,
  128n,
  255n,
  2n ** 16n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 40n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 8n,
  2n ** 64n - 1n,
);

type Mutation = (bytes: Uint8Array) => Uint8Array;

/** One change to a file, somewhere in its first `reach` bytes. */
function mutation(reach: number): fc.Arbitrary<Mutation> {
  const place = fc.nat(reach - 1);
  const length = fc.nat(64);
  return fc.oneof(
    fc.tuple(place, fc.nat(7)).map(([at, bit]): Mutation => (bytes) => {
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      return bytes;
    }),
    fc.tuple(place, nastyWord, fc.boolean()).map(([at, word, wide]): Mutation => (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (wide && at + 8 <= bytes.length) view.setBigUint64(at, word, true);
      else if (at + 4 <= bytes.length) view.setUint32(at, Number(BigInt.asUintN(32, word)), true);
      return bytes;
    }),
    place.map(
      (at): Mutation =>
        (bytes) =>
          bytes.slice(0, at),
    ),
    fc.tuple(place, length).map(
      ([at, count]): Mutation =>
        (bytes) =>
          concat(bytes.subarray(0, at), bytes.subarray(at + count)),
    ),
    fc.tuple(place, place, length).map(
      ([at, from, count]): Mutation =>
        (bytes) =>
          concat(bytes.subarray(0, at), bytes.slice(from, from + count), bytes.subarray(at)),
    ),
    fc.tuple(place, place, length).map(([at, from, count]): Mutation => (bytes) => {
      // Swaps two runs.
      const piece = bytes.slice(at, at + count);
      bytes.copyWithin(at, from, from + count);
      bytes.set(piece.subarray(0, Math.max(0, bytes.length - from)), Math.min(from, bytes.length));
      return bytes;
    }),
  );
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Opens a file. The outcome must be a valid ModelFile or an allowed error with an offset, within time and
 * memory limits.
 */
async function openOrRefuse(bytes: Uint8Array): Promise<void> {
  const start = performance.now();
  const memoryBefore = process.memoryUsage();
  try {
    const file = await openModelFile(bytesSource(bytes));
    for (const { name, shape, offset, bytes: length, type, format } of file.tensors.values()) {
      expect(shape.length >= 1 && shape.length <= 4 && shape.every((size) => size >= 1), name).toBe(true);
      expect(offset + length, name).toBeLessThanOrEqual(bytes.length);
      if (format === undefined) continue;
      const elements = shape.reduce((a, b) => a * b, 1);
      expect(length).toBe(format.tensorBytes(elements));
      expect(type).toBe(format.name);
      if (elements <= maxDecoded) decodeOrRefuse(format, bytes.subarray(offset, offset + length), elements);
    }
    for (const options of [{ threads: 1 }, { contextLength: 2 ** 26, threads: 64 }]) {
      const inspection = inspectFile(file, options);
      expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
    }
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    expect(allowedCodes).toContain(error.code);
    if (error.code === "FILE_CORRUPT") {
      expect(error.details.offset).toBeGreaterThanOrEqual(0);
      expect(error.details.offset).toBeLessThanOrEqual(bytes.length);
    }
  }
  expect(performance.now() - start).toBeLessThan(timeoutMs);
  const memoryAfter = process.memoryUsage();
  // Typed arrays are outside the heap, and no garbage collection runs here. The heap has the same limit.
  expect(memoryAfter.arrayBuffers - memoryBefore.arrayBuffers).toBeLessThan(maxBytes);
  expect(memoryAfter.heapUsed - memoryBefore.heapUsed).toBeLessThan(maxBytes);
}

/** Decodes a tensor of the small file. Its bytes are arbitrary after a mutation. */
function decodeOrRefuse(format: WeightFormat, bytes: Uint8Array, elements: number): void {
  try {
    expect(format.decode(bytes, elements).length).toBe(elements);
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    expect(error.code).toBe("FILE_CORRUPT");
    expect(error.details.offset).toBeGreaterThanOrEqual(0);
    expect(error.details.offset).toBeLessThan(bytes.length);
  }
}

describe("openModelFile on damaged files", () => {
  it("opens the small file as it is", async () => {
    const file = await openModelFile(bytesSource(small.slice()));
    expect(Array.from(file.tensors.values(), ({ type }) => type)).toEqual([
      "I2_S",
      "F32",
      "F16",
      "TQ1_0",
      "Q2_0_G128",
      "Q6_K",
      "Q4_K",
      "Q8_0",
      "Q1_0",
    ]);
  });

  it("opens or refuses a small file with one to four mutations", async () => {
    const mutations = fc.array(mutation(small.length), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(mutations, (list) =>
        openOrRefuse(list.reduce<Uint8Array>((bytes, mutate) => mutate(bytes), small.slice())),
      ),
      { numRuns: 5000 },
    );
  });

  it("opens or refuses the embedded model with one to four mutations in its header", async () => {
    const mutations = fc.array(mutation(realHeaderBytes), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(mutations, (list) =>
        openOrRefuse(list.reduce<Uint8Array>((bytes, mutate) => mutate(bytes), new Uint8Array(real))),
      ),
      { numRuns: 200 },
    );
  });

  it("opens or refuses every single nasty word at every offset of a small file's header", async () => {
    for (let at = 4; at + 8 <= small.length - smallDataBytes; at += 1) {
      for (const word of [0n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 64n - 1n]) {
        const bytes = small.slice();
        new DataView(bytes.buffer).setBigUint64(at, word, true);
        await openOrRefuse(bytes);
      }
    }
  });

  it("opens or refuses random bytes behind a good magic", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), (noise) =>
        openOrRefuse(concat(small.slice(0, 8), noise)),
      ),
      { numRuns: 2000 },
    );
  });
});
