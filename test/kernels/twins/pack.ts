import { halfToNumber, rebiasedBits } from "../../reference/halves.js";
import { packTernaryRows, unpackTernaryRows } from "../../reference/ternary.js";
import { bytesOf, type KernelCase, type KernelTwin, requireSame, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

export const checkTernaryTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(61);
    for (const blocks of [0, 1, 2, 3, 13, 1600]) {
      const weights = numbers.ternary(blocks * 128);
      const codes = packTernaryRows(weights);
      requireSame(unpackTernaryRows(codes), weights, "the twin's own round trip, weight");
      yield {
        name: `${blocks} blocks`,
        blocks: { codes },
        aligned: [],
        writes: {},
        ways: [
          (kernels, at) => kernels.check_ternary(at("codes"), codes.length),
          (kernels, at) => {
            let bad = 0;
            for (let begin = 0; begin < codes.length; begin += 32)
              bad += kernels.check_ternary(at("codes") + begin, 32);
            return bad;
          },
        ],
        check: (outcome) => requireSame([outcome.returned ?? NaN], [0], "returned"),
      };
    }
    // A code 3 at each offset of a block in turn. The packer must report it as block 1 of 3.
    const weights = numbers.ternary(3 * 128);
    for (let weightIndex = 0; weightIndex < 128; weightIndex += 1) {
      const codes = packTernaryRows(weights);
      codes[32 + (weightIndex % 32)] =
        (codes[32 + (weightIndex % 32)] ?? 0) | (3 << (6 - 2 * Math.floor(weightIndex / 32)));
      yield {
        name: `a code 3 at weight ${weightIndex} of block 1`,
        blocks: { codes },
        aligned: [],
        writes: {},
        ways: [(kernels, at) => kernels.check_ternary(at("codes"), 96)],
        check: (outcome) => requireSame([outcome.returned ?? NaN], [2], "returned"),
      };
    }
  },
};

/** Patterns of 1, of a large finite number, and of numbers that are not finite. */
const floatPatterns: Readonly<
  Record<
    "F16" | "BF16" | "F32",
    { readonly bytes: number; readonly finite: readonly number[]; readonly bad: readonly number[] }
  >
> = {
  F16: { bytes: 2, finite: [0x3c00, 0x7bff, 0xfbff, 0x0001, 0x8000], bad: [0x7c00, 0xfc00, 0x7e00, 0x7c01] },
  BF16: { bytes: 2, finite: [0x3f80, 0x7f7f, 0xff7f, 0x0001, 0x7c00], bad: [0x7f80, 0xff80, 0x7fc0, 0xff81] },
  F32: {
    bytes: 4,
    finite: [0x3f800000, 0x7f7fffff, 0xff7fffff, 1, 0x80000000],
    bad: [0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001],
  },
};

/** A bad number at each place in turn, and another one behind it, which must not be reported. */
export function checkFiniteTwin(...types: readonly (keyof typeof floatPatterns)[]): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      for (const type of types) {
        const { bytes, finite, bad } = floatPatterns[type];
        for (const count of [0, 1, 15, 16, 17, 32, 33, 100]) {
          for (let place = -1; place < count; place += 1) {
            const patterns = Array.from({ length: count }, (_, i) => finite[i % finite.length] ?? 0);
            if (place >= 0) patterns[place] = bad[place % bad.length] ?? 0;
            if (place >= 0) patterns[count - 1] = bad[place % bad.length] ?? 0;
            const values = bytes === 2 ? Uint16Array.from(patterns) : Int32Array.from(patterns, (x) => x | 0);
            yield {
              name: `${count} ${type}, bad from ${place}`,
              blocks: { values: bytesOf(values) },
              aligned: [],
              writes: {},
              ways: [
                (kernels, at) =>
                  type === "F32"
                    ? kernels.check_finite_f32(at("values"), count)
                    : kernels.check_finite_16(at("values"), count, type === "F16" ? 0x7c00 : 0x7f80),
              ],
              check: (outcome) => requireSame([outcome.returned ?? NaN], [place + 1], "returned"),
            };
          }
        }
      }
    },
  };
}

const allHalves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

export const packF16Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const packable = allHalves.filter((bits) => rebiasedBits(halfToNumber(bits)) !== undefined);
    const packed = (halves: Uint16Array): Uint16Array =>
      halves.map((bits) => rebiasedBits(halfToNumber(bits)) ?? 0);
    for (const halves of [
      new Uint16Array(0),
      packable.subarray(5, 6),
      packable.subarray(1020, 1033),
      packable,
    ]) {
      const bytes = halves.length * 2;
      const expected = bytesOf(packed(halves));
      yield {
        name: `${halves.length} halves below 128`,
        blocks: { from: bytesOf(halves), to: unset(bytes) },
        aligned: [],
        writes: { to: [[0, bytes]] },
        ways: [(kernels, at) => kernels.pack_f16(at("from"), at("to"), halves.length)],
        check(outcome): void {
          requireSame([outcome.returned ?? NaN], [1], "returned");
          requireSame(outcome.bytes("to"), expected, "byte");
        },
      };
      yield {
        name: `${halves.length} halves in place`,
        blocks: { both: bytesOf(halves) },
        aligned: [],
        writes: { both: [[0, bytes]] },
        ways: [(kernels, at) => kernels.pack_f16(at("both"), at("both"), halves.length)],
        check: (outcome) => requireSame(outcome.bytes("both"), expected, "byte"),
      };
    }
    const others = allHalves.filter((bits) => rebiasedBits(halfToNumber(bits)) === undefined);
    yield {
      name: "each of the others, which must be refused",
      blocks: { from: bytesOf(others), to: unset(2) },
      aligned: [],
      writes: { to: [[0, 2]] },
      ways: [
        (kernels, at) => {
          let accepted = 0;
          others.forEach((_, index) => (accepted += kernels.pack_f16(at("from") + index * 2, at("to"), 1)));
          return accepted;
        },
      ],
      check: (outcome) => requireSame([outcome.returned ?? NaN], [0], "accepted"),
    };
  },
};

export const widenF16Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const halves of [
      new Uint16Array(0),
      allHalves.subarray(7, 8),
      allHalves.subarray(1020, 1033),
      allHalves,
    ]) {
      const expected = Float32Array.from(halves, halfToNumber);
      yield {
        name: `${halves.length} halves`,
        blocks: { from: bytesOf(halves), to: unset(halves.length * 4) },
        aligned: [],
        writes: { to: [[0, halves.length * 4]] },
        ways: [(kernels, at) => kernels.widen_f16(at("from"), at("to"), halves.length)],
        check: (outcome) => requireSame(outcome.floats("to"), expected, "half"),
      };
    }
  },
};
