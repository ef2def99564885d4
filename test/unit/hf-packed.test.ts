import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hfPackedBytes, packHf, unpackHf, unpackHfQuarter } from "#dist/weight-formats/hf-packed.js";

const invalidArgument = expect.objectContaining({ code: "INVALID_ARGUMENT" });

describe("HF packed uint8", () => {
  it("holds output rows r, r + n/4, r + 2n/4 and r + 3n/4 in bits 1-0, 3-2, 5-4 and 7-6 of packed row r", () => {
    // Eight rows of one weight: two packed rows.
    expect(packHf(Int8Array.of(-1, 0, 0, 1, 1, -1, 0, 1), 8, 1)).toEqual(
      Uint8Array.of(0b01_10_01_00, 0b10_00_10_01),
    );
    expect(unpackHf(Uint8Array.of(0b01_10_01_00, 0b10_00_10_01), 8, 1)).toEqual(
      Int8Array.of(-1, 0, 0, 1, 1, -1, 0, 1),
    );
  });

  it("unpacks what it packs, whole or by quarters of any run of rows", () => {
    const shapes = fc.record({ quarterRows: fc.nat(5), cols: fc.nat(9), seed: fc.infiniteStream(fc.nat(2)) });
    fc.assert(
      fc.property(shapes, ({ quarterRows, cols, seed }) => {
        const rows = quarterRows * 4;
        const weights = Int8Array.from({ length: rows * cols }, () => Number(seed.next().value) - 1);
        const packed = packHf(weights, rows, cols);
        expect(packed.length).toBe(hfPackedBytes(rows, cols));
        expect(unpackHf(packed, rows, cols)).toEqual(weights);

        const skipped = quarterRows === 0 ? 0 : cols;
        for (const quarter of [0, 1, 2, 3] as const) {
          const run = new Int8Array(packed.length - skipped);
          unpackHfQuarter(packed.subarray(skipped), quarter, run);
          const begin = quarter * quarterRows * cols;
          expect(run).toEqual(weights.subarray(begin + skipped, begin + quarterRows * cols));
        }
      }),
    );
  });

  it("unpacks any byte or refuses it with its index", () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const fields = [0, 2, 4, 6].map((shift) => (byte >>> shift) & 3);
      const packed = Uint8Array.of(0b01_01_01_01, byte);
      if (fields.includes(3)) {
        expect(() => unpackHf(packed, 8, 1)).toThrow(
          expect.objectContaining({ code: "FILE_CORRUPT", details: { offset: 1 } }),
        );
      } else {
        expect(Array.from(unpackHf(packed, 8, 1))).toEqual(fields.flatMap((field) => [0, field - 1]));
      }
    }
  });

  it("refuses rows that are not a multiple of 4, wrong lengths and weights that are not ternary", () => {
    for (const rows of [1, 6, -4, NaN, 0.5]) expect(() => hfPackedBytes(rows, 8)).toThrow(invalidArgument);
    expect(() => unpackHf(new Uint8Array(7), 4, 8)).toThrow(invalidArgument);
    expect(() => packHf(new Int8Array(31), 4, 8)).toThrow(invalidArgument);
    expect(() => unpackHfQuarter(new Uint8Array(8), 0, new Int8Array(9))).toThrow(invalidArgument);
    for (const weight of [-2, 2, 127]) {
      const weights = new Int8Array(32);
      weights[9] = weight;
      expect(() => packHf(weights, 4, 8)).toThrow(invalidArgument);
    }
  });
});
