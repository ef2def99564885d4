import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { numberToFloat16 } from "#dist/weight-formats/float16.js";
import { weightFormatByName, weightFormats, type WeightFormat } from "#dist/weight-formats/index.js";

const blockFormats = weightFormats.filter((format) => format.blockElements > 1 && format.name !== "I2_S");
const ternaryFormats = blockFormats.filter((format) => format.ternary);
const encodedFormats = blockFormats.filter((format) => format.encode !== undefined);
const roundedFormats = encodedFormats.filter((format) => !format.ternary);
const affineFormats = blockFormats.filter((format) => format.affine !== undefined);
const named = (formats: readonly WeightFormat[]): (readonly [string, WeightFormat])[] =>
  formats.map((format) => [format.name, format] as const);

const invalidArgument = expect.objectContaining({ code: "INVALID_ARGUMENT" });

function format(name: string): WeightFormat {
  const found = weightFormatByName(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
}

/** The bytes of one block with some nonzero values. */
function blockOf(name: string, values: Readonly<Record<number, number>>): number[] {
  const all = new Float32Array(format(name).blockElements);
  for (const [index, value] of Object.entries(values)) all[Number(index)] = value;
  return Array.from(format(name).encode?.(all) ?? []);
}

const halfOne = [0x00, 0x3c];
const repeat = (byte: number, count: number): number[] => new Array<number>(count).fill(byte);

describe("layouts of block formats", () => {
  it("TQ1_0: five digits a byte, the first highest, then four, then the scale", () => {
    // 1 1 1 1 1 in base 3 is 121 of 243, rounded up to 128 of 256. 1 1 1 1 0 is 120, which gives 127.
    const zeros = [...repeat(128, 48), ...repeat(127, 4)];
    expect(blockOf("TQ1_0", {})).toEqual([...zeros, 0, 0]);
    const cases: readonly (readonly [weight: number, byteIndex: number, digitValue: number])[] = [
      [0, 0, 81],
      [32, 0, 27],
      [64 + 5, 5, 9],
      [128 + 31, 31, 1],
      [160, 32, 81],
      [176 + 3, 35, 27],
      [224 + 15, 47, 1],
      [240, 48, 81],
      [252 + 3, 51, 3],
    ];
    for (const [weight, byteIndex, digitValue] of cases) {
      for (const sign of [1, -1]) {
        const expected = [...zeros, ...halfOne];
        const number = (byteIndex < 48 ? 121 : 120) + sign * digitValue;
        expected[byteIndex] = Math.ceil((number * 256) / 243);
        expect(blockOf("TQ1_0", { [weight]: sign }), `weight ${weight}`).toEqual(expected);
      }
    }
  });

  it("TQ1_0: any byte decodes to digits of −1, 0 and 1", () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const bytes = Uint8Array.from([...repeat(byte, 52), ...halfOne]);
      const values = format("TQ1_0").decode(bytes, 256);
      // Digit k is the fixed-point product with 3^(k+1), modulo 3. The bytes are defined by it.
      for (const [weight, digit] of [
        [0, 0],
        [32, 1],
        [64, 2],
        [96, 3],
        [128, 4],
        [160, 0],
        [240, 0],
        [252, 3],
      ] as const) {
        expect(values[weight]).toBe((Math.floor((byte * 3 ** (digit + 1)) / 256) % 3) - 1);
      }
    }
  });

  it("TQ2_0: byte j of each 32 has weights j, 32 + j, 64 + j, 96 + j from the low bits up, then the scale", () => {
    const bytes = blockOf("TQ2_0", { 0: 1, 33: -1, 64: 1, 96: -1, 128: 1, 255: -1 });
    const expected = [...repeat(0b01_01_01_01, 64), ...halfOne];
    expected[0] = 0b00_10_01_10;
    expected[1] = 0b01_01_00_01;
    expected[32] = 0b01_01_01_10;
    expected[63] = 0b00_01_01_01;
    expect(bytes).toEqual(expected);
  });

  it("TQ2_0 refuses code 3 with its index", () => {
    for (const shift of [0, 2, 4, 6]) {
      const bytes = Uint8Array.from([...repeat(0, 64), ...halfOne, ...repeat(0, 64), ...halfOne]);
      bytes[66 + 41] = 3 << shift;
      expect(() => format("TQ2_0").decode(bytes, 512)).toThrow(
        expect.objectContaining({ code: "FILE_CORRUPT", details: { offset: 66 + 41 } }),
      );
    }
  });

  it("Q1_0: the scale, then a bit a weight from the low bits up", () => {
    const values = new Float32Array(128).fill(-1);
    for (const index of [0, 9, 127]) values[index] = 1;
    const expected = [...halfOne, ...repeat(0, 16)];
    expected[2] = 1;
    expected[3] = 2;
    expected[17] = 128;
    expect(Array.from(format("Q1_0").encode?.(values) ?? [])).toEqual(expected);
  });

  it("Q1_0 refuses zeros among signs", () => {
    const values = new Float32Array(256).fill(0.5);
    values[200] = 0;
    expect(() => format("Q1_0").encode?.(values)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", details: { index: 200 } }),
    );
  });

  it.each([
    ["Q2_0", 64],
    ["Q2_0_G128", 128],
  ])("%s: the scale, then four weights a byte from the low bits up", (name, elements) => {
    const bytes = blockOf(name, { 0: 1, 5: -1, [elements - 1]: 1 });
    const expected = [...halfOne, ...repeat(0b01_01_01_01, elements / 4)];
    expected[2] = 0b01_01_01_10;
    expected[3] = 0b01_01_00_01;
    expected[1 + elements / 4] = 0b10_01_01_01;
    expect(bytes).toEqual(expected);
  });

  it("Q2_0: code 3 is twice the scale", () => {
    const bytes = Uint8Array.from([...halfOne, ...repeat(0b11_10_01_00, 16)]);
    expect(format("Q2_0").decode(bytes, 64).slice(0, 4)).toEqual(Float32Array.of(-1, 0, 1, 2));
  });

  it("Q4_0: the scale, then weight j in the low half of byte j and 16 + j in the high half", () => {
    // −8 gets code 0 with scale 1, and code 8 is zero.
    const expected = [...halfOne, ...repeat(0x88, 16)];
    expected[2] = 0xf0;
    expected[17] = 0x38;
    expect(blockOf("Q4_0", { 0: -8, 16: 7, 31: -5 })).toEqual(expected);
  });

  it("Q5_0: the scale, a bit of each weight, then four bits as in Q4_0", () => {
    // Code 16 is zero: only its fifth bit is set.
    const expected = [...halfOne, 0xfe, 0xff, 0xff, 0x7f, ...repeat(0, 16)];
    expected[6] = 0xf0;
    expected[21] = 0xb0;
    expect(blockOf("Q5_0", { 0: -16, 16: 15, 31: -5 })).toEqual(expected);
  });

  it("Q8_0: the scale, then signed bytes", () => {
    const expected = [...halfOne, ...repeat(0, 32)];
    expected[2] = 129;
    expected[33] = 3;
    expect(blockOf("Q8_0", { 0: -127, 31: 2.5 })).toEqual(expected);
  });

  it("Q6_K: low bits, high bits, factors, scale, as documented", () => {
    const bytes = new Uint8Array(210);
    bytes.set(halfOne, 208);
    for (let group = 0; group < 16; group += 1) bytes[192 + group] = group === 15 ? 255 : group + 1;
    // Weight 0 has code 1 + 16·2 = 33. Weight 64 has code 15. Weight 255 has code 63, in a group with factor
    // −1.
    bytes[0] = 0xf1;
    bytes[128] = 2;
    bytes[64 + 63] = 0xf0;
    bytes[128 + 32 + 31] = 0b11_00_00_00;
    const values = format("Q6_K").decode(bytes, 256);
    expect([0, 1, 64, 255].map((index) => values[index])).toEqual([1, -32, (15 - 32) * 5, -31]);
  });

  it("Q4_K: scale, minimum, 6-bit factors, then codes, as documented", () => {
    const bytes = new Uint8Array(144);
    bytes.set([...halfOne, 0x00, 0x40], 0);
    // Group 0: s 63, t 1. Group 7: s = 16·2 + 5, t = 16·1 + 9.
    bytes[4] = 63;
    bytes[8] = 1;
    bytes[4 + 3] = 2 << 6;
    bytes[8 + 3] = 1 << 6;
    bytes[12 + 3] = 0x95;
    bytes[16] = 0x0b;
    bytes[143] = 0xc0;
    const values = format("Q4_K").decode(bytes, 256);
    expect([0, 1, 32, 255].map((index) => values[index])).toEqual([63 * 11 - 2, -2, 0, 37 * 12 - 2 * 25]);
  });
});

describe("layouts of formats that are only read", () => {
  const decode = (name: string, bytes: readonly number[]): Float32Array =>
    format(name).decode(Uint8Array.from(bytes), format(name).blockElements);

  it("Q4_1 and Q5_1: scale, minimum, then codes as in Q4_0 and Q5_0", () => {
    const codes = [0xf1, ...repeat(0, 15)];
    const header = [...halfOne, 0x00, 0xc0];
    expect(Array.from(decode("Q4_1", [...header, ...codes])).filter((_, i) => i % 16 === 0)).toEqual([
      -1, 13,
    ]);
    const values = decode("Q5_1", [...header, 1, 0, 1, 0, ...codes]);
    expect([0, 1, 16].map((index) => values[index])).toEqual([16 + 1 - 2, -2, 16 + 15 - 2]);
  });

  it("Q2_K: factors, codes, scale, minimum", () => {
    const bytes = [...repeat(0x11, 16), ...repeat(0b11_10_01_00, 64), ...halfOne, 0x00, 0x40];
    bytes[15] = 0x2f;
    const values = decode("Q2_K", bytes);
    expect([0, 32, 64, 96, 255].map((index) => values[index])).toEqual([-2, -1, 0, 1, 15 * 3 - 2 * 2]);
  });

  it("Q3_K: high bits, low bits, factors, scale", () => {
    const bytes = [...repeat(0, 32), ...repeat(0b11_10_01_00, 64), ...repeat(0, 12), ...halfOne];
    bytes[0] = 0b0000_0001;
    bytes[96] = 0x05;
    bytes[103] = 0x70;
    bytes[107] = 0b11_00_00_00;
    const values = decode("Q3_K", bytes);
    // Group 0 has factor 5 − 32. Group 15 has 16 · 3 + 7 − 32. The others have −32.
    expect([0, 1, 32, 255].map((index) => (values[index] ?? NaN) + 0)).toEqual([0, 27 * 4, 32 * 3, 23 * -1]);
  });

  it("Q5_K: steps as in Q4_K, high bits, low bits", () => {
    const bytes = [...halfOne, 0x00, 0x40, ...repeat(0, 12), ...repeat(0, 160)];
    bytes[4] = 3;
    bytes[8] = 1;
    bytes[16] = 1;
    bytes[48] = 0x0b;
    const values = decode("Q5_K", bytes);
    expect([0, 1, 32].map((index) => values[index])).toEqual([3 * (16 + 11) - 2, -2, 0]);
  });

  it("IQ4_NL and IQ4_XS: levels that are closer together near zero", () => {
    expect(decode("IQ4_NL", [...halfOne, 0xf8, ...repeat(0, 15)]).slice(0, 1)).toEqual(Float32Array.of(1));
    expect(decode("IQ4_NL", [...halfOne, 0xf8, ...repeat(0, 15)])[16]).toBe(113);
    const bytes = [...halfOne, 0b0000_0000, 0b11_00_00_00, 0, 0, 0, 0x50, ...repeat(0x80, 128)];
    const values = decode("IQ4_XS", bytes);
    expect([0, 16, 224, 255].map((index) => values[index])).toEqual([32 * 127, -32, 21 * -127, 21]);
  });

  it("MXFP4: a power of two, then floats of four bits", () => {
    const values = decode("MXFP4", [127, 0xf1, 0x07, ...repeat(0, 14)]);
    expect([0, 1, 16].map((index) => values[index])).toEqual([0.5, 6, -6]);
    expect(decode("MXFP4", [0, 0x01, ...repeat(0, 15)])[0]).toBe(2 ** -128);
  });
});

describe.each(named(blockFormats))("%s, read", (name, codec) => {
  const blockBytes = codec.tensorBytes(codec.blockElements);

  it("decodes any bytes to finite numbers, or refuses them with their index", () => {
    const bytes = fc.uint8Array({ minLength: 2 * blockBytes, maxLength: 2 * blockBytes });
    fc.assert(
      fc.property(bytes, (noise) => {
        try {
          const values = codec.decode(noise, 2 * codec.blockElements);
          expect(values.every((value) => Number.isFinite(value))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(BitNetError);
          const { code, details } = error as BitNetError;
          expect(code).toBe("FILE_CORRUPT");
          expect(details.offset).toBeGreaterThanOrEqual(0);
          expect(details.offset).toBeLessThan(noise.length);
        }
      }),
    );
  });

  it("refuses every scale that is not finite, with its offset", () => {
    const scaleOffsets: Readonly<Record<string, readonly number[]>> = {
      TQ1_0: [52],
      TQ2_0: [64],
      Q2_K: [80, 82],
      Q3_K: [108],
      Q6_K: [208],
      Q4_1: [0, 2],
      Q5_1: [0, 2],
      Q4_K: [0, 2],
      Q5_K: [0, 2],
    };
    const damages: readonly (readonly number[])[] =
      name === "MXFP4"
        ? [[253], [255]]
        : [
            [0, 0x7c],
            [0, 0xfc],
            [0, 0x7e],
          ];
    for (const scaleAt of scaleOffsets[name] ?? [0]) {
      for (const bytes of damages) {
        const damaged = new Uint8Array(2 * blockBytes);
        damaged.set(bytes, blockBytes + scaleAt);
        expect(() => codec.decode(damaged, 2 * codec.blockElements)).toThrow(
          expect.objectContaining({ code: "FILE_CORRUPT", details: { offset: blockBytes + scaleAt } }),
        );
      }
    }
  });
});

describe.each(named(affineFormats))("%s as integers", (_, codec) => {
  it("has the codes, scales and minimums of the same numbers", () => {
    const blocks = 3;
    const elements = blocks * codec.blockElements;
    const bytes = fc.uint8Array({
      minLength: codec.tensorBytes(elements),
      maxLength: codec.tensorBytes(elements),
    });
    let compared = 0;
    fc.assert(
      fc.property(bytes, (noise) => {
        let values: Float32Array;
        try {
          values = codec.decode(noise, elements);
        } catch {
          return;
        }
        compared += 1;
        const groupElements = codec.affine?.groupElements ?? NaN;
        const groups = {
          codes: new Int8Array(elements),
          scales: new Float32Array(elements / groupElements),
          minimums: new Float32Array(elements / groupElements).fill(7),
        };
        codec.affine?.readGroups(noise, groups);
        const expected = Float32Array.from(groups.codes, (code, index) => {
          const group = Math.floor(index / groupElements);
          return Math.fround((groups.scales[group] ?? NaN) * code) - (groups.minimums[group] ?? NaN);
        });
        expect(values).toEqual(expected);
      }),
      { numRuns: 100 },
    );
    expect(compared).toBeGreaterThan(20);
  });
});

describe.each(named(encodedFormats))("%s, written", (_, codec) => {
  it("encodes each block for itself", () => {
    const blocks = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(blocks, (seeds) => {
        const parts = seeds.map((seed) => someBlock(codec, seed));
        const all = Float32Array.from(parts.flatMap((part) => Array.from(part)));
        const encoded = parts.flatMap((part) => Array.from(codec.encode?.(part) ?? []));
        expect(Array.from(codec.encode?.(all) ?? [])).toEqual(encoded);
      }),
      { numRuns: 20 },
    );
  });

  it("refuses values that have no number here, and part of a block", () => {
    for (const wrong of [NaN, Infinity, -Infinity, 65_505, -1e30]) {
      const values = new Float32Array(2 * codec.blockElements).fill(1);
      values[codec.blockElements + 3] = wrong;
      expect(() => codec.encode?.(values)).toThrow(invalidArgument);
    }
    expect(() => codec.encode?.(new Float32Array(codec.blockElements - 1))).toThrow(invalidArgument);
  });

  it("keeps zeros, and the largest values", () => {
    const zeros = new Float32Array(codec.blockElements);
    expect(decoded(codec, zeros).every((value) => value === 0)).toBe(true);
    const largest = zeros.map((_, index) => (index % 2 === 0 ? -65_504 : 65_504));
    expect(decoded(codec, largest).every((value, index) => value * (largest[index] as number) > 0)).toBe(
      true,
    );
  });
});

describe.each(named(ternaryFormats))("%s, which is ternary", (name, codec) => {
  const signs = name === "Q1_0" ? fc.constantFrom(-1, 1) : fc.constantFrom(-1, 0, 1);
  const weights = fc.array(signs, { minLength: 2 * codec.blockElements, maxLength: 2 * codec.blockElements });
  const scale = fc.float({ min: Math.fround(1e-7), max: 60_000, noNaN: true });

  it("loses nothing of weights but what a half cannot hold of their scales", () => {
    fc.assert(
      fc.property(weights, fc.tuple(scale, scale), (list, scales) => {
        const scaleOf = (index: number): number => scales[index < codec.blockElements ? 0 : 1];
        const values = Float32Array.from(list, (weight, index) => weight * scaleOf(index) + 0);
        const bytes = codec.encode?.(values) as Uint8Array;
        const back = codec.decode(bytes, values.length);
        list.forEach((weight, index) => {
          const bits = numberToFloat16(back[index] as number);
          expect(bits).toBe(numberToFloat16(weight * scaleOf(index) + 0));
        });
        // A second round trip changes nothing.
        expect(codec.encode?.(back)).toEqual(bytes);
        expect(codec.decode(codec.encode?.(back) as Uint8Array, back.length)).toEqual(back);
      }),
      { numRuns: 40 },
    );
  });

  it("refuses values of two magnitudes, and a scale too small for a half, with their index", () => {
    const values = new Float32Array(2 * codec.blockElements).fill(0.5);
    values[codec.blockElements + 7] = 0.25;
    expect(() => codec.encode?.(values)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", details: { index: codec.blockElements + 7 } }),
    );
    // The smallest half is 6e-8, and half of it already rounds to 0.
    expect(() => codec.encode?.(values.fill(2 ** -25))).toThrow(invalidArgument);
    expect(decoded(codec, values.fill(2 ** -24))).toEqual(values);
  });
});

/**
 * The largest error of a value, relative to its block's maximum magnitude. A lopsided range has an error of
 * one step.
 */
const largestErrors: Readonly<Record<string, number>> = {
  // +8 has no code although −8 has one. The same applies to +16.
  Q4_0: 1 / 8 + 2 ** -10,
  Q5_0: 1 / 16 + 2 ** -10,
  Q8_0: 1 / 254 + 2 ** -10,
  // Searched steps may be longer or shorter than the range divided by the codes. The bound is twice the
  // largest observed error.
  Q4_K: 1 / 4,
  Q6_K: 1 / 12,
};

describe.each(named(roundedFormats))("%s, which rounds", (name, codec) => {
  it("stays within its step of any values", () => {
    const value = fc.oneof(
      fc.float({ min: -10, max: 10, noNaN: true }),
      fc.float({ min: Math.fround(-0.01), max: Math.fround(0.01), noNaN: true }),
      fc.constantFrom(0, 1, -1, 65_504, -65_504),
    );
    const values = fc.array(value, { minLength: codec.blockElements, maxLength: codec.blockElements });
    fc.assert(
      fc.property(values, (list) => {
        const block = Float32Array.from(list);
        const largest = block.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
        // The second term: scales below the smallest normal half round to multiples of 2^-24.
        const bound = largest * (largestErrors[name] ?? 0) + 128 * 2 ** -25;
        decoded(codec, block).forEach((back, index) => {
          expect(Math.abs(back - (block[index] as number))).toBeLessThanOrEqual(bound);
        });
      }),
      { numRuns: 60 },
    );
  });
});

function decoded(codec: WeightFormat, values: Float32Array): Float32Array {
  return codec.decode(codec.encode?.(values) as Uint8Array, values.length);
}

/** A block of values that the format can hold, different for each seed. */
function someBlock(codec: WeightFormat, seed: number): Float32Array {
  return Float32Array.from({ length: codec.blockElements }, (_, index) => {
    const wave = Math.sin(seed * 12.9898 + index * index);
    return codec.ternary ? seed * (wave < 0 ? -1 : 1) : seed * wave;
  });
}
