import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bfloat16ToNumber, float32ToBfloat16 } from "#dist/weight-formats/bf16.js";
import { float16ToNumber, float32BitsToFloat16, numberToFloat16 } from "#dist/weight-formats/float16.js";
import { i2S } from "#dist/weight-formats/i2-s.js";
import {
  weightFormatById,
  weightFormatByName,
  weightFormats,
  weightFormatsById,
  undecodedTypeName,
} from "#dist/weight-formats/index.js";
import { ternarizeByAbsmean } from "#dist/weight-formats/ternarize.js";

const scratch = new DataView(new ArrayBuffer(4));

describe("weightFormats", () => {
  const exact = weightFormats.filter(({ ternary, blockElements }) => ternary || blockElements === 1);

  it.each(exact.map((format) => [format.name, format] as const))(
    "%s decodes what it encodes, at no, one and several blocks",
    (_, format) => {
      for (const blocks of [0, 1, 2, 7]) {
        const values = Float32Array.from({ length: blocks * format.blockElements }, (_, i) =>
          // Q1_0 has only signs.
          format.name === "Q1_0" ? 1 - 2 * (i % 2) : ((i * 7) % 3) - 1,
        );
        const bytes = format.encode?.(values);
        expect(bytes?.length).toBe(format.tensorBytes(values.length));
        expect(format.decode(bytes as Uint8Array, values.length)).toEqual(values);
      }
    },
  );

  it.each(weightFormats.map((format) => [format.name, format] as const))(
    "%s refuses bytes of another length and incomplete blocks",
    (_, format) => {
      const bytes = new Uint8Array(format.tensorBytes(256) + 1);
      expect(() => format.decode(bytes, 256)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      expect(() => format.decode(new Uint8Array(0), -1)).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    },
  );

  it("has each name once, and finds formats by name and by id, the standard one first", () => {
    expect(new Set(weightFormats.map(({ name }) => name)).size).toBe(weightFormats.length);
    for (const format of weightFormats) {
      expect(weightFormatByName(format.name)).toBe(format);
      expect(weightFormatByName(format.name.toLowerCase())).toBe(format);
      expect(weightFormatsById(format.id)).toContain(format);
      expect(weightFormatById(format.id)).toBe(weightFormatsById(format.id)[0]);
    }
    expect(weightFormatsById(42).map(({ name }) => name)).toEqual(["Q2_0", "Q2_0_G128"]);
    expect(weightFormats.filter(({ id }) => weightFormatsById(id).length > 1).length).toBe(2);
    expect(weightFormatById(21)).toBeUndefined();
    expect(weightFormatsById(21)).toEqual([]);
    expect(weightFormatByName("iq3_s")).toBeUndefined();
  });

  it("names ids that it cannot decode", () => {
    expect([21, 39, 99].map(undecodedTypeName)).toEqual(["IQ3_S", "TL2", "type 99"]);
  });
});

describe("float16", () => {
  it("encodes every half back to its own pattern", () => {
    for (let bits = 0; bits < 65536; bits += 1) {
      const value = float16ToNumber(bits);
      const expected = Number.isNaN(value) ? 0x7e00 : bits;
      if (numberToFloat16(value) !== expected) expect.fail(`pattern ${bits.toString(16)}`);
    }
  });

  it("rounds midpoints to even and their neighbours to the nearer half", () => {
    for (let bits = 0; bits < 0x7c00; bits += 1) {
      const low = float16ToNumber(bits);
      // The last finite half rounds as if the next power of two followed.
      const high = bits === 0x7bff ? 65536 : float16ToNumber(bits + 1);
      const midpoint = (low + high) / 2;
      const step = (high - low) * 2 ** -30;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const results = [midpoint, midpoint - step, midpoint + step, -midpoint].map(numberToFloat16);
      const expected = [even, bits, bits + 1, even | 0x8000];
      if (results.some((result, index) => result !== expected[index]))
        expect.fail(`after ${bits.toString(16)}`);
    }
  });

  it("encodes float32 bits as it encodes their numbers", () => {
    const encodes = (bits: number): void => {
      scratch.setUint32(0, bits);
      const expected = numberToFloat16(scratch.getFloat32(0));
      if (float32BitsToFloat16(bits) !== expected) expect.fail(`pattern ${bits.toString(16)}`);
    };
    // Every sign and exponent, with fractions around every tie of halves and of subnormal halves.
    for (let top = 0; top < 2 ** 12; top += 1) {
      for (const tail of [0, 1, 0x7ff, 0x800, 0xfff, 0x1000, 0x1001, 0x1fff, 0x2000, 0x3000, 0x7ffff]) {
        encodes(((top << 20) | tail) >>> 0);
      }
    }
    fc.assert(fc.property(fc.nat(2 ** 32 - 1), encodes), { numRuns: 20_000 });
  });

  it("keeps infinities, the sign of zero and not-a-number", () => {
    expect([Infinity, -Infinity, 1e9, -0, NaN, 5e-324].map(numberToFloat16)).toEqual([
      0x7c00, 0xfc00, 0x7c00, 0x8000, 0x7e00, 0,
    ]);
    expect(float16ToNumber(0x7c00)).toBe(Infinity);
    expect(float16ToNumber(0x8000)).toBe(-0);
    expect(float16ToNumber(0x7c01)).toBeNaN();
  });
});

describe("bfloat16", () => {
  it("encodes every pattern back to itself", () => {
    for (let bits = 0; bits < 65536; bits += 1) {
      const value = bfloat16ToNumber(bits);
      const expected = Number.isNaN(value) ? 0x7fc0 : bits;
      if (float32ToBfloat16(value) !== expected) expect.fail(`pattern ${bits.toString(16)}`);
    }
  });

  it("rounds to the nearest, ties to even, up to infinity", () => {
    const round = (float32Bits: number): number => {
      scratch.setUint32(0, float32Bits);
      return float32ToBfloat16(scratch.getFloat32(0));
    };
    expect(round(0x3f808000)).toBe(0x3f80);
    expect(round(0x3f818000)).toBe(0x3f82);
    expect(round(0x3f808001)).toBe(0x3f81);
    expect(round(0x3f807fff)).toBe(0x3f80);
    expect(round(0x7f7fffff)).toBe(0x7f80);
    expect(round(0xff7fffff)).toBe(0xff80);
  });
});

describe("I2_S", () => {
  it("lays 128 weights out as published: byte j has j, 32+j, 64+j, 96+j from the high bits down", () => {
    const values = new Float32Array(256);
    values[0] = 0.5;
    values[32] = -0.5;
    values[64] = 0.5;
    values[96] = -0.5;
    values[128 + 33] = 0.5;
    const bytes = i2S.encode?.(values) as Uint8Array;
    expect(bytes.length).toBe(256 / 4 + 32);
    expect(bytes[0]).toBe(0b10_00_10_00);
    expect(bytes[1]).toBe(0b01_01_01_01);
    expect(bytes[32 + 1]).toBe(0b01_10_01_01);
    expect(new DataView(bytes.buffer).getFloat32(64, true)).toBe(0.5);
  });

  it("ignores the 28 bytes after the scale", () => {
    const values = new Float32Array(128).fill(-0.25);
    const bytes = i2S.encode?.(values) as Uint8Array;
    bytes.fill(0xaa, 32 + 4);
    expect(i2S.decode(bytes, 128)).toEqual(values);
  });

  it("refuses code 3 with its index", () => {
    for (const shift of [0, 2, 4, 6]) {
      const bytes = i2S.encode?.(new Float32Array(256)) as Uint8Array;
      bytes[41] = 3 << shift;
      expect(() => i2S.decode(bytes, 256)).toThrow(
        expect.objectContaining({ code: "FILE_CORRUPT", details: { offset: 41 } }),
      );
    }
  });

  it("refuses a scale that is not finite", () => {
    const bytes = i2S.encode?.(new Float32Array(128)) as Uint8Array;
    new DataView(bytes.buffer).setFloat32(32, NaN, true);
    expect(() => i2S.decode(bytes, 128)).toThrow(expect.objectContaining({ code: "FILE_CORRUPT" }));
  });

  it("refuses to encode values that are not 0 or ±d", () => {
    for (const wrong of [0.5, NaN, Infinity]) {
      const values = new Float32Array(128).fill(0.25);
      values[77] = wrong;
      expect(() => i2S.encode?.(values)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
    expect(() => i2S.encode?.(new Float32Array(64))).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  });

  it("decodes what it encodes, for any weights and scale", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(-1, 0, 1), { minLength: 128, maxLength: 128 }),
        fc.float({ min: Math.fround(1e-30), max: Math.fround(1e30), noNaN: true }),
        (weights, scale) => {
          const values = Float32Array.from(weights, (weight) => (weight === 0 ? 0 : weight * scale));
          expect(i2S.decode(i2S.encode?.(values) as Uint8Array, 128)).toEqual(values);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("ternarizeByAbsmean", () => {
  it("rounds W/d half to even with d the mean magnitude", () => {
    // Mean magnitude 1: ±0.5 are ties, and round to 0.
    const values = Float32Array.of(0.5, -0.5, 0.51, -0.51, 1.5, -1.5, 1.99, -0.99);
    expect(ternarizeByAbsmean(values)).toEqual(Float32Array.of(0, 0, 1, -1, 1, -1, 1, -1));
  });

  it("gives values that I2_S encodes, also for zeros", () => {
    const values = Float32Array.from({ length: 256 }, (_, index) => Math.sin(index * index) * 0.01);
    expect(() => i2S.encode?.(ternarizeByAbsmean(values))).not.toThrow();
    expect(ternarizeByAbsmean(new Float32Array(3))).toEqual(new Float32Array(3));
  });
});
