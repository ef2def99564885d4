import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { matrixBytes } from "#dist/packing/layouts/index.js";
import { type CompiledKernels, compileKernels } from "#dist/wasm/kernel-build.js";
import { firstByte, type Packed, packOne } from "../support/packing-bench.js";
import { formatOf } from "../support/reformatted-model.js";

let compiled: CompiledKernels;
beforeAll(async () => {
  compiled = await compileKernels();
});

/** Random ternary weights with these scales, one per 256 weights of the flattened matrix. */
function matrixArbitrary(
  scales: readonly number[],
): fc.Arbitrary<{ readonly rows: number; readonly cols: number; readonly weights: Float32Array }> {
  return fc
    .record({ rows: fc.integer({ min: 1, max: 5 }), blocks: fc.integer({ min: 1, max: 11 }) })
    .chain(({ rows, blocks }) => {
      const count = rows * blocks;
      return fc
        .record({
          digits: fc.array(fc.integer({ min: -1, max: 1 }), {
            minLength: count * 256,
            maxLength: count * 256,
            size: "max",
          }),
          chosen: fc.array(fc.constantFrom(...scales), { minLength: count, maxLength: count }),
        })
        .map(({ digits, chosen }) => ({
          rows,
          cols: blocks * 256,
          weights: Float32Array.from(digits, (digit, i) => digit * (chosen[Math.floor(i / 256)] ?? 0)),
        }));
    });
}

/** Rows in base 3 are smaller from 640 columns on, except for 1000 or so that fill their last block badly. */
const isSmaller = (cols: number): boolean => Math.ceil(cols / 160) * 32 < cols / 4;

describe.each(["I2_S", "TQ1_0", "TQ2_0"])("packMatrix of %s in base 3", (name) => {
  const pack = (rows: number, cols: number, weights: Float32Array): Promise<Packed> =>
    packOne(compiled, name, [rows, cols], formatOf(name).encode?.(weights) ?? new Uint8Array(), "small");

  it("keeps every weight, in the memory that was planned for it, with one scale", async () => {
    await fc.assert(
      fc.asyncProperty(matrixArbitrary([0.5]), async ({ rows, cols, weights }) => {
        const packed = await pack(rows, cols, weights);
        expect(packed.weights.every((weight, i) => weight === weights[i])).toBe(true);
        expect(packed.matrix.layout).toBe(isSmaller(cols) ? "base3-rows" : "ternary-rows");
        expect(matrixBytes(packed.matrix)).toBeLessThanOrEqual(packed.estimatedBytes);
        // The codes with 96 bytes that kernels may read, in whole cache lines.
        expect(packed.usedBytes).toBeLessThanOrEqual(matrixBytes(packed.matrix) + 96 + 64);
      }),
      { numRuns: 30 },
    );
  });

  if (name === "I2_S") return;

  it("keeps scales as halves if there are several", async () => {
    await fc.assert(
      fc.asyncProperty(matrixArbitrary([0.5, 0.25, 2 ** -24]), async ({ rows, cols, weights }) => {
        const packed = await pack(rows, cols, weights);
        expect(packed.weights.every((weight, i) => weight === weights[i])).toBe(true);
        const several = new Set(weights.map(Math.abs).filter((weight) => weight !== 0)).size > 1;
        const [rowsLayout, groupsLayout] = isSmaller(cols)
          ? ["base3-rows", "base3-groups"]
          : ["ternary-rows", "ternary-groups-128"];
        expect(packed.matrix.layout).toBe(several ? groupsLayout : rowsLayout);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ["infinite", 0x7c00],
    ["no number", 0xfe01],
  ])("refuses a scale that is %s, naming the byte of its block", async (_, scale) => {
    const { blockElements, tensorBytes } = formatOf(name);
    const blockBytes = tensorBytes(blockElements);
    const data = new Uint8Array(6 * 4 * blockBytes);
    const at = 9 * blockBytes;
    data[at + blockBytes - 2] = scale & 255;
    data[at + blockBytes - 1] = scale >> 8;
    await expect(packOne(compiled, name, [6, 4 * blockElements], data, "small")).rejects.toMatchObject({
      code: "FILE_CORRUPT",
      details: { tensor: "w", offset: firstByte + at },
    });
  });
});

it("refuses a code 3 of I2_S, naming its byte", async () => {
  const data = new Uint8Array((3 * 1280) / 4 + 32);
  data[650] = 3;
  await expect(packOne(compiled, "I2_S", [3, 1280], data, "small")).rejects.toMatchObject({
    code: "FILE_CORRUPT",
    details: { tensor: "w", offset: firstByte + 640 },
  });
});
