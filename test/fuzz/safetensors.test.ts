import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/index.js";
import { openSafetensors } from "#dist/files/safetensors.js";
import { openSafetensorsSet } from "#dist/files/safetensors-shards.js";
import { bytesSource, memoryFolder } from "#dist/platform/memory-source.js";
import {
  type RawTensor,
  safetensorsBytes,
  writeSafetensors,
  writeShards,
} from "../support/safetensors-bytes.js";

const tensors = new Map<string, RawTensor>([
  ["model.embed_tokens.weight", { dtype: "BF16", shape: [4, 2], data: new Uint8Array(16).fill(1) }],
  ["model.layers.0.q.weight", { dtype: "U8", shape: [1, 5], data: new Uint8Array(5).fill(2) }],
  ["model.layers.0.q.weight_scale", { dtype: "F32", shape: [1], data: new Uint8Array(4).fill(3) }],
]);
const single = writeSafetensors(tensors);

/** Words with a meaning in a header, and numbers at the ends of ranges. */
const tokens = fc.constantFrom(
  ...["{", "}", "[", "]", ":", ",", '"', "\\", " ", "null", "1e9", "-1", "0", "00", "4294967296"],
  ...["9007199254740993", '"dtype"', '"shape"', '"data_offsets"', '"__proto__"', '"U8"', "\u0000", "é", "[["],
);
type Mutation = (bytes: Uint8Array) => Uint8Array;
const place = fc.nat(400);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.nat(255)).map(([at, value]): Mutation => (bytes) => {
    if (at < bytes.length) bytes[at] = value;
    return bytes;
  }),
  fc.tuple(place, fc.nat(8), tokens).map(
    ([at, cut, token]): Mutation =>
      (bytes) =>
        splice(bytes, at, cut, new TextEncoder().encode(token)),
  ),
  fc.tuple(place, place, fc.nat(80)).map(
    ([at, from, count]): Mutation =>
      (bytes) =>
        splice(bytes, at, 0, bytes.slice(from, from + count)),
  ),
  place.map(
    (at): Mutation =>
      (bytes) =>
        bytes.slice(0, at),
  ),
);

function splice(bytes: Uint8Array, at: number, cut: number, middle: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(at + cut)]));
}

/**
 * Opens a file, or refuses it with an offset inside the file. The tensors of an opened file cover its data
 * once.
 */
async function openOrRefuse(bytes: Uint8Array): Promise<string> {
  try {
    const file = await openSafetensors(bytesSource(bytes));
    const ranges = [...file.tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
    let covered = ranges[0]?.offset ?? bytes.length;
    for (const { offset, bytes: length } of ranges) {
      expect(offset).toBe(covered);
      covered += length;
    }
    expect(covered).toBe(bytes.length);
    return "opened";
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    expect(error.code).toBe("FILE_CORRUPT");
    expect(error.details.offset).toBeGreaterThanOrEqual(0);
    expect(error.details.offset).toBeLessThanOrEqual(bytes.length);
    return "refused";
  }
}

describe("openSafetensors on damaged files", () => {
  it("opens or refuses a file with one to four mutations, its length set right half of the time", async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (list, mend) => {
          let bytes = list.reduce<Uint8Array>((all, mutate) => mutate(all), new Uint8Array(single));
          if (mend && bytes.length > 40) bytes = safetensorsBytes(bytes.slice(8, -25), bytes.slice(-25));
          const outcome = await openOrRefuse(bytes);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        },
      ),
      { numRuns: 5000 },
    );
    // Both outcomes must occur. Otherwise the test covers too little.
    expect(outcomes.get("opened") ?? 0).toBeGreaterThan(10);
    expect(outcomes.get("refused") ?? 0).toBeGreaterThan(1000);
  });

  it("agrees with JSON.parse about what a name is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", minLength: 1 }), async (name) => {
        const header = JSON.stringify(
          Object.fromEntries([[name, { dtype: "U8", shape: [1], data_offsets: [0, 1] }]]),
        );
        if (name === "__metadata__") return;
        const file = await openSafetensors(bytesSource(safetensorsBytes(header, new Uint8Array(1))));
        expect([...file.tensors.keys()]).toEqual([name]);
      }),
    );
  });

  it("refuses every header that JSON.parse refuses", async () => {
    const pieces = fc.array(
      fc.oneof(tokens, fc.constantFrom('"a"', '{"dtype":"U8","shape":[],"data_offsets":[0,1]}')),
    );
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const header = `{${parts.join("")}}`;
        let valid = true;
        try {
          JSON.parse(header);
        } catch {
          valid = false;
        }
        const outcome = await openOrRefuse(safetensorsBytes(header, new Uint8Array(1)));
        if (!valid) expect(outcome).toBe("refused");
      }),
      { numRuns: 5000 },
    );
  });
});

describe("openSafetensorsSet on damaged indices", () => {
  it("opens or refuses an index with one to four mutations", async () => {
    const shards = writeShards(tensors, 2);
    const indexName = "model.safetensors.index.json";
    const index = shards.get(indexName) ?? expect.fail("no index");
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (list) => {
        const bytes = list.reduce<Uint8Array>((all, mutate) => mutate(all), new Uint8Array(index));
        try {
          const set = await openSafetensorsSet(memoryFolder(new Map([...shards, [indexName, bytes]])));
          expect([...set.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
        } catch (error) {
          if (!(error instanceof BitNetError)) throw error;
          expect(["FILE_CORRUPT", "FILE_NOT_FOUND"]).toContain(error.code);
          if (error.code === "FILE_CORRUPT") expect(error.details.offset).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
