import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { matrixBytes } from "#dist/packing/layouts/index.js";
import { type CompiledKernels, compileKernels } from "#dist/wasm/kernel-build.js";
import { firstByte, type Packed, packOne } from "../support/packing-bench.js";
import { formatOf } from "../support/reformatted-model.js";

/** Formats with a scale in each block, and the offset of the scale. */
const ternaryFormats = [
  { name: "TQ1_0", scaleAt: 52 },
  { name: "TQ2_0", scaleAt: 64 },
  { name: "Q1_0", scaleAt: 0 },
  { name: "Q2_0", scaleAt: 0 },
  { name: "Q2_0_G128", scaleAt: 0 },
] as const;

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels();
});

const pack = (name: string, rows: number, cols: number, data: Uint8Array): Promise<Packed> =>
  packOne(compiled, name, [rows, cols], data);

/** Bytes of a format, with scales from a short list. */
function blocksArbitrary(
  name: string,
  scaleAt: number,
  scales: readonly number[],
): fc.Arbitrary<{ readonly rows: number; readonly cols: number; readonly data: Uint8Array }> {
  const { blockElements, tensorBytes } = formatOf(name);
  const blockBytes = tensorBytes(blockElements);
  const block = fc
    .tuple(
      fc.uint8Array({ minLength: blockBytes, maxLength: blockBytes }),
      fc.constantFrom(...scales),
      fc.boolean(),
    )
    .map(([bytes, scale, zeros]) => {
      // A code 3 in TQ2_0 is damage, and in Q2_0 not a ternary weight. Other tests cover both.
      const codes = name.startsWith("Q1") || name.startsWith("TQ1") ? bytes : bytes.map(withoutThrees);
      const whole = zeros && name !== "Q1_0" ? zeroBlock(name) : codes;
      whole[scaleAt] = scale & 255;
      whole[scaleAt + 1] = scale >> 8;
      return whole;
    });
  return fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 })).chain(([rows, perRow]) =>
    fc.array(block, { minLength: rows * perRow, maxLength: rows * perRow }).map((blocks) => {
      const data = new Uint8Array(blocks.length * blockBytes);
      blocks.forEach((bytes, i) => data.set(bytes, i * blockBytes));
      return { rows, cols: perRow * blockElements, data };
    }),
  );
}

function withoutThrees(byte: number): number {
  return byte & ~((byte & (byte >> 1) & 0x55) * 2);
}

function zeroBlock(name: string): Uint8Array {
  const format = formatOf(name);
  return format.encode?.(new Float32Array(format.blockElements)) ?? new Uint8Array(0);
}

/** 1, −0.5, a subnormal half and 0. */
const someScales = [0x3c00, 0xb800, 0x0001, 0];

describe.each(ternaryFormats)("packMatrix of $name", ({ name, scaleAt }) => {
  it("keeps every weight, in the memory that was planned for it", async () => {
    await fc.assert(
      fc.asyncProperty(blocksArbitrary(name, scaleAt, someScales), async ({ rows, cols, data }) => {
        const packed = await pack(name, rows, cols, data);
        requireEqualNumbers(packed.weights, formatOf(name).decode(data, rows * cols));
        expect(packed.reportedBytes).toBe(data.length);
        expect(matrixBytes(packed.matrix)).toBeLessThanOrEqual(packed.estimatedBytes);
        // At most two allocations, each of whole cache lines.
        expect(packed.usedBytes).toBeLessThan(matrixBytes(packed.matrix) + 128);
      }),
      { numRuns: 40 },
    );
  });

  it("makes ternary-rows of blocks that all have one scale, or are zeros with any", async () => {
    await fc.assert(
      fc.asyncProperty(blocksArbitrary(name, scaleAt, [0x2e66, 0]), async ({ rows, cols, data }) => {
        const { matrix, weights } = await pack(name, rows, cols, data);
        requireEqualNumbers(weights, formatOf(name).decode(data, rows * cols));
        const scale = 0.0999755859375;
        expect(matrix).toMatchObject({ layout: "ternary-rows", records: 0 });
        expect(matrix.scale).toBe(weights.some((weight) => weight !== 0) ? scale : 0);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ["infinite", 0x7c00],
    ["no number", 0xfe01],
  ])("refuses a scale that is %s, naming the byte of its block", async (_, scale) => {
    const { blockElements, tensorBytes } = formatOf(name);
    const blockBytes = tensorBytes(blockElements);
    const data = new Uint8Array(12 * blockBytes);
    const at = 7 * blockBytes;
    data[at + scaleAt] = scale & 255;
    data[at + scaleAt + 1] = scale >> 8;
    await expect(pack(name, 6, 2 * blockElements, data)).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      message: expect.stringContaining('tensor "w"'),
      details: { tensor: "w", offset: firstByte + at },
    });
  });

  it("reads a tensor of several pieces", async () => {
    const { blockElements, tensorBytes } = formatOf(name);
    const blockBytes = tensorBytes(blockElements);
    const rows = Math.ceil((5 << 20) / blockBytes);
    const data = new Uint8Array(rows * blockBytes);
    // Blocks of zeros except one in the first row, one around each end of a piece, and the last.
    const special = [0, (4 << 20) / blockBytes, rows - 1].flatMap((row) => [
      Math.floor(row),
      Math.max(0, Math.floor(row) - 1),
    ]);
    special.forEach((row, i) => {
      data.fill(0x11 * (i + 1), row * blockBytes, (row + 1) * blockBytes);
      data[row * blockBytes + scaleAt] = i;
      data[row * blockBytes + scaleAt + 1] = 0x3c;
    });
    if (name === "TQ2_0") data.forEach((byte, i) => (data[i] = withoutThrees(byte)));
    const { weights } = await pack(name, rows, blockElements, data);
    requireEqualNumbers(weights, formatOf(name).decode(data, rows * blockElements));
  });
});

describe("packMatrix of Q2_0", () => {
  const halves = (count: number, scaleOf: (block: number) => number, code: number): Uint8Array => {
    const data = new Uint8Array(count * 18);
    for (let block = 0; block < count; block += 1) {
      data.fill(code * 0x55, block * 18, (block + 1) * 18);
      data[block * 18] = scaleOf(block) & 255;
      data[block * 18 + 1] = scaleOf(block) >> 8;
    }
    return data;
  };

  it.each([
    ["128, of which there are 8", 2, 1024],
    ["128 and none left over", 3, 384],
    ["an odd number of 64", 5, 320],
  ])("joins groups of 64 that were groups of %s", async (_, rows, cols) => {
    const perRow = cols / 64;
    const scaleOf = (block: number): number => 0x3000 + Math.floor((block % perRow) / 2);
    const data = halves(rows * perRow, scaleOf, 2);
    const { matrix, weights, usedBytes } = await pack("Q2_0", rows, cols, data);
    expect(matrix.layout).toBe("ternary-groups-128");
    expect(usedBytes).toBeLessThan(matrixBytes(matrix) + 128);
    requireEqualNumbers(weights, formatOf("Q2_0").decode(data, rows * cols));
  });

  it("keeps a code 3, twice the scale, even where all scales are one", async () => {
    const data = halves(12, () => 0x3c00, 3);
    const { matrix, weights } = await pack("Q2_0", 3, 256, data);
    expect(matrix.layout).toBe("ternary-groups-128");
    expect(new Set(weights)).toEqual(new Set([2]));
  });
});

it("packMatrix of TQ2_0 refuses a code 3", async () => {
  const data = new Uint8Array(4 * 66);
  data[66 + 5] = 0xc0;
  await expect(pack("TQ2_0", 2, 512, data)).rejects.toMatchObject({ code: "FILE_CORRUPT" });
});

/** Compares numbers. Zeros of either sign are equal. */
function requireEqualNumbers(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const index = expected.findIndex((value, i) => value !== actual[i]);
  if (index >= 0) throw new Error(`weight ${index} is ${actual[index]}, expected ${expected[index]}`);
}
