import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openGguf } from "#dist/files/gguf.js";
import {
  planTensor,
  writableMetadata,
  writeGguf,
  type GgufHeader,
  type GgufValue,
  type TensorWriter,
} from "#dist/files/gguf-writer.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { i2S } from "#dist/weight-formats/i2-s.js";
import { starterPath } from "../support/golden-path.js";
import { memorySink } from "../support/memory-sink.js";

async function written(
  header: GgufHeader,
  fill: (write: TensorWriter) => Promise<void>,
): Promise<Uint8Array> {
  const sink = memorySink();
  await writeGguf(sink, header, fill);
  return sink.committed() ?? expect.fail("nothing was committed");
}

const noTensors = async (): Promise<void> => {};
const oneTensor: GgufHeader = { metadata: new Map(), tensors: [planTensor("t", [3], f32)] };

describe("writeGguf", () => {
  it("writes the embedded model again, byte for byte, from what the reader gives", async () => {
    const original = readFileSync(starterPath);
    const file = await openGguf(bytesSource(original));
    const tensors = [...file.tensors.values()];
    const copy = await written({ metadata: writableMetadata(file), tensors }, async (write) => {
      for (const { name, offset, bytes } of tensors) {
        const data = original.subarray(offset, offset + bytes);
        // Two chunks, the first of odd length.
        await write(name, data.subarray(0, 333));
        await write(name, data.subarray(333));
      }
    });
    expect(Buffer.compare(copy, original)).toBe(0);
  });

  it("writes any metadata so that it reads back the same", async () => {
    const integer = (bits: number, signed: boolean): fc.Arbitrary<number> =>
      fc.integer({ min: signed ? -(2 ** (bits - 1)) : 0, max: 2 ** (signed ? bits - 1 : bits) - 1 });
    const value = fc.oneof(
      integer(8, false).map((v): GgufValue => ({ type: "uint8", value: v })),
      integer(16, true).map((v): GgufValue => ({ type: "int16", value: v })),
      integer(32, true).map((v): GgufValue => ({ type: "int32", value: v })),
      integer(32, false).map((v): GgufValue => ({ type: "uint32", value: v })),
      fc.float().map((v): GgufValue => ({ type: "float32", value: v })),
      fc.double().map((v): GgufValue => ({ type: "float64", value: v })),
      fc.boolean().map((v): GgufValue => ({ type: "bool", value: v })),
      fc.string({ unit: "binary" }).map((v): GgufValue => ({ type: "string", value: v })),
      fc
        .bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })
        .map((v): GgufValue => ({ type: "uint64", value: v })),
      fc.maxSafeInteger().map((v): GgufValue => ({ type: "int64", value: v })),
      fc.array(fc.string({ unit: "grapheme" })).map((v): GgufValue => ({ type: "string[]", value: v })),
      fc.float32Array().map((v): GgufValue => ({ type: "float32[]", value: v })),
      fc.int8Array().map((v): GgufValue => ({ type: "int8[]", value: v })),
      fc.array(fc.boolean()).map((v): GgufValue => ({ type: "bool[]", value: v })),
      fc
        .array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
        .map((v): GgufValue => ({ type: "uint64[]", value: v })),
    );
    const entries = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), value), {
      selector: ([key]) => key,
    });
    await fc.assert(
      fc.asyncProperty(entries, async (list) => {
        const metadata = new Map(list.filter(([key]) => key !== "general.alignment"));
        const file = await openGguf(bytesSource(await written({ metadata, tensors: [] }, noTensors)));
        expect(writableMetadata(file)).toEqual(metadata);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps fields whole where the header outgrows its memory", async () => {
    // Near the end of the first 64 KiB: every way that a field can cross it.
    for (let padding = 65_400; padding < 65_540; padding += 1) {
      const metadata = new Map<string, GgufValue>([
        ["p", { type: "string", value: "x".repeat(padding) }],
        ["a", { type: "uint32", value: 0xdeadbeef }],
        ["b", { type: "float64", value: 1.5 }],
        ["c", { type: "bool", value: true }],
        ["d", { type: "string", value: "é" }],
      ]);
      const tensors = [planTensor("t", [2], f32)];
      const bytes = await written({ metadata, tensors }, (write) => write("t", new Uint8Array(8)));
      const file = await openGguf(bytesSource(bytes));
      expect([...file.metadata.values()].slice(1)).toEqual([0xdeadbeef, 1.5, true, "é"]);
    }
  });

  it("places tensors at the alignment that the metadata sets, zeros between them", async () => {
    const metadata = new Map<string, GgufValue>([["general.alignment", { type: "uint32", value: 64 }]]);
    const tensors = [planTensor("a", [3], f32), planTensor("b", [128, 2], i2S)];
    const bytes = await written({ metadata, tensors }, async (write) => {
      await write("a", new Uint8Array(12).fill(1));
      await write("b", new Uint8Array(96).fill(2));
    });
    const file = await openGguf(bytesSource(bytes));
    const [a, b] = [file.tensors.get("a")?.offset ?? 0, file.tensors.get("b")?.offset ?? 0];
    expect(a % 64).toBe(0);
    expect(b).toBe(a + 64);
    expect([...bytes.subarray(a, b)]).toEqual([...Array(12).fill(1), ...Array(52).fill(0)]);
    expect(bytes.length).toBe(b + 128);
  });

  it.each<readonly [string, GgufHeader, (write: TensorWriter) => Promise<void>]>([
    ["a tensor that is not written", oneTensor, noTensors],
    ["a tensor that is half written", oneTensor, (write) => write("t", new Uint8Array(11))],
    ["a tensor with too many bytes", oneTensor, (write) => write("t", new Uint8Array(13))],
    ["a tensor out of order", oneTensor, (write) => write("u", new Uint8Array(12))],
    [
      "a name twice",
      { metadata: new Map(), tensors: [...oneTensor.tensors, ...oneTensor.tensors] },
      noTensors,
    ],
    [
      "a size of 0",
      { metadata: new Map(), tensors: [{ name: "t", shape: [0], typeId: 0, bytes: 4 }] },
      noTensors,
    ],
    [
      "a value out of range",
      { metadata: new Map([["k", { type: "uint8", value: 256 }]]), tensors: [] },
      noTensors,
    ],
    [
      "a value of another type",
      { metadata: new Map([["k", { type: "bool", value: 1 }]]), tensors: [] },
      noTensors,
    ],
    [
      "an array in place of a scalar",
      { metadata: new Map([["k", { type: "int8", value: [] }]]), tensors: [] },
      noTensors,
    ],
    [
      "a scalar in place of an array",
      { metadata: new Map([["k", { type: "int8[]", value: 1 }]]), tensors: [] },
      noTensors,
    ],
    [
      "arrays of arrays",
      { metadata: new Map([["k", { type: "array[]", value: [[]] }]]), tensors: [] },
      noTensors,
    ],
    [
      "a bad alignment",
      { metadata: new Map([["general.alignment", { type: "uint32", value: 24 }]]), tensors: [] },
      noTensors,
    ],
  ])("refuses %s and discards the file", async (_, header, fill) => {
    const sink = memorySink();
    await expect(writeGguf(sink, header, fill)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(sink.discarded()).toBe(true);
    expect(sink.committed()).toBeUndefined();
  });

  it("discards the file when the signal fires or filling fails, and rejects with the reason", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const sink = memorySink();
    const writing = writeGguf(
      sink,
      oneTensor,
      async (write) => {
        await write("t", new Uint8Array(4));
        controller.abort(reason);
        await write("t", new Uint8Array(8));
      },
      { signal: controller.signal },
    );
    await expect(writing).rejects.toBe(reason);
    expect(sink.discarded()).toBe(true);

    const failing = memorySink();
    await expect(writeGguf(failing, oneTensor, () => Promise.reject(reason))).rejects.toBe(reason);
    expect(failing.discarded()).toBe(true);
  });
});
