import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "#dist/index.js";
import { matrixBytes } from "#dist/packing/layouts/index.js";
import { type CompiledKernels, compileKernels } from "#dist/wasm/kernel-build.js";
import { starterPath } from "../support/golden-path.js";
import { modelFamilies } from "../conformance/model-families.js";
import { firstByte, packOne } from "../support/packing-bench.js";
import { formatOf, reformatModel } from "../support/reformatted-model.js";
import { encodeTensor, rewriteModel } from "../support/rewritten-model.js";
import { makeTinyModel } from "../support/tiny-model.js";

// Quantizations that are not ternary become f32 rows in memory, exact to the last bit.

/** Formats, and the offsets of halves in their blocks: scales and minima. */
const formats = [
  { name: "Q4_0", halvesAt: [0] },
  { name: "Q5_0", halvesAt: [0] },
  { name: "Q8_0", halvesAt: [0] },
  { name: "Q4_K", halvesAt: [0, 2] },
  { name: "Q6_K", halvesAt: [208] },
] as const;

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels();
});

const blockBytesOf = (name: string): number => formatOf(name).tensorBytes(formatOf(name).blockElements);
const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

describe.each(formats)("packMatrix of $name", ({ name, halvesAt }) => {
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
        expect(packed.matrix).toMatchObject({ layout: "f32-rows", scale: 1 });
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

describe.each(formats)("models in $name", ({ name }) => {
  it.each(["Falcon-E, Llama3-8B-1.58, TriLM", "Bonsai"])(
    "have the logits of their F32 twins, bit for bit: %s",
    async (family) => {
      const format = { matrices: name, vectors: "F32" } as const;
      const { metadata, tensors } =
        modelFamilies.find((each) => each.name === family)?.model(format) ?? expect.fail();
      const { bytes, tensors: made } = await makeTinyModel(metadata, tensors, format, 17);
      const twin = await rewriteModel(bytes, (parts) => {
        for (const [tensor, { shape }] of parts.tensors) {
          const values = made.get(tensor)?.values ?? expect.fail(tensor);
          if (shape.length === 2) parts.tensors.set(tensor, encodeTensor(formatOf("F32"), shape, values));
        }
      });
      expect(await logitsOf(bytes)).toEqual(await logitsOf(twin));
    },
  );
});

it("a head in Q6_K beside ternary layers is what it decodes to", async () => {
  const isHead = (tensor: string): boolean => tensor === "token_embd.weight";
  const { model, inF32 } = await reformatModel(starterPath, (tensor) =>
    isHead(tensor) ? formatOf("Q6_K") : undefined,
  );
  expect(await logitsOf(model)).toEqual(await logitsOf(inF32));
});

async function logitsOf(bytes: Uint8Array): Promise<Float32Array> {
  await using model = await loadModel(bytes, { threads: 1 });
  using session = model.createSession({ contextLength: 16 });
  return await session.evaluate([7, 96, 185], { logits: "all" });
}
