import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { matrixBytes } from "#dist/packing/layouts/index.js";
import { type CompiledKernels, compileKernels } from "#dist/wasm/kernel-build.js";
import { firstByte, packOne } from "../support/packing-bench.js";
import { formatOf } from "../support/reformatted-model.js";

// Quantizations that are not ternary become affine panels in memory. Their rows have the bits of the format's
// decoder.

/** Formats, their layout, and the offsets of halves in their blocks: scales and minima. */
const formats = [
  { name: "Q4_0", layout: "affine-4-32", halvesAt: [0] },
  { name: "Q4_1", layout: "affine-4-32-min", halvesAt: [0, 2] },
  { name: "Q5_0", layout: "affine-6-32", halvesAt: [0] },
  { name: "Q5_1", layout: "affine-6-32-min", halvesAt: [0, 2] },
  { name: "Q8_0", layout: "affine-8-32", halvesAt: [0] },
  { name: "Q2_K", layout: "affine-6-16-min", halvesAt: [80, 82] },
  { name: "Q3_K", layout: "affine-6-16", halvesAt: [108] },
  { name: "Q4_K", layout: "affine-4-32-min", halvesAt: [0, 2] },
  { name: "Q5_K", layout: "affine-6-32-min", halvesAt: [0, 2] },
  { name: "Q6_K", layout: "affine-6-16", halvesAt: [208] },
  { name: "IQ4_NL", layout: "affine-8-32", halvesAt: [0] },
  { name: "IQ4_XS", layout: "affine-8-32", halvesAt: [0] },
] as const;

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels();
});

const blockBytesOf = (name: string): number => formatOf(name).tensorBytes(formatOf(name).blockElements);
const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

describe.each(formats)("packMatrix of $name", ({ name, layout, halvesAt }) => {
  const blockBytes = blockBytesOf(name);
  const { blockElements } = formatOf(name);
  /** Any bits with finite halves. */
  const block = fc.uint8Array({ minLength: blockBytes, maxLength: blockBytes }).map((bytes) => {
    for (const at of halvesAt) bytes[at + 1] = (bytes[at + 1] ?? 0) & 0xbf;
    return bytes;
  });

  it("has the bits of the format's decoder, for any blocks", async () => {
    const matrices = fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }))
      .chain(([rows, perRow]) =>
        fc.array(block, { minLength: rows * perRow, maxLength: rows * perRow }).map((blocks) => ({
          rows,
          cols: perRow * blockElements,
          data: new Uint8Array(Buffer.concat(blocks)),
        })),
      );
    await fc.assert(
      fc.asyncProperty(matrices, async ({ rows, cols, data }) => {
        const packed = await packOne(compiled, name, [rows, cols], data);
        expect(packed.matrix).toMatchObject({ layout, scale: 1 });
        expect(bitsOf(packed.weights)).toEqual(bitsOf(formatOf(name).decode(data, rows * cols)));
        expect(packed.reportedBytes).toBe(data.length);
        expect(packed.estimatedBytes).toBe(matrixBytes(packed.matrix));
      }),
      { numRuns: 30 },
    );
  });

  it("reads a tensor of several pieces", async () => {
    // A piece has 2^20 weights.
    const cols = 4 * blockElements;
    const rows = Math.floor(2 ** 20 / cols) + 3;
    const data = new Uint8Array((rows * cols * blockBytes) / blockElements);
    data.forEach((_, i) => (data[i] = (i * 151 + (i >> 8)) & 0x3f));
    const { weights } = await packOne(compiled, name, [rows, cols], data);
    const expected = formatOf(name).decode(data, rows * cols);
    expect(Buffer.compare(Buffer.from(weights.buffer), Buffer.from(expected.buffer))).toBe(0);
  });

  it.each(halvesAt.flatMap((at) => [[at, 0x7c00] as const, [at, 0xfe01] as const]))(
    "refuses a half at byte %i of a block that is %i, with its offset in the file",
    async (at, bits) => {
      const data = new Uint8Array(12 * blockBytes).fill(0x11);
      for (const half of halvesAt) for (let b = 0; b < 12; b += 1) data[b * blockBytes + half + 1] = 0x11;
      const broken = 7 * blockBytes;
      data[broken + at] = bits & 255;
      data[broken + at + 1] = bits >> 8;
      const error = packOne(compiled, name, [6, 2 * blockElements], data);
      await expect(error).rejects.toMatchObject({
        code: "FILE_CORRUPT",
        message: expect.stringContaining('tensor "w"') as string,
        details: { tensor: "w", offset: firstByte + broken + at },
      });
    },
  );
});

describe("packMatrix of MXFP4", () => {
  const blockBytes = blockBytesOf("MXFP4");
  const data = Uint8Array.from({ length: 9 * 3 * blockBytes }, (_, i) => (i * 83 + (i >> 7)) & 0x7f);

  it("has the bits of the format's decoder", async () => {
    const packed = await packOne(compiled, "MXFP4", [9, 96], data);
    expect(packed.matrix).toMatchObject({ layout: "affine-6-32", scale: 1 });
    expect(bitsOf(packed.weights)).toEqual(bitsOf(formatOf("MXFP4").decode(data, 9 * 96)));
    expect(packed.estimatedBytes).toBe(matrixBytes(packed.matrix));
  });

  it("refuses an exponent that stands for no number", async () => {
    const broken = data.slice();
    broken[11 * blockBytes] = 255;
    await expect(packOne(compiled, "MXFP4", [9, 96], broken)).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      details: { tensor: "w", offset: firstByte + 11 * blockBytes },
    });
  });
});
