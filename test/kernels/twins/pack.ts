import { halfToNumber, rebiasedBits } from "../../reference/halves.js";
import { packI2sCodes, packTernaryRows, unpackI2sCodes } from "../../reference/ternary.js";
import { bytesOf, type KernelCase, type KernelTwin, requireSame, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

export const packI2sTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(61);
    for (const blocks of [0, 1, 2, 3, 13, 1600]) {
      const weights = numbers.ternary(blocks * 128);
      const codes = packI2sCodes(weights);
      requireSame(unpackI2sCodes(codes), weights, "the twin's own round trip, weight");
      const bytes = codes.length;
      const expected = packTernaryRows(weights);
      yield {
        name: `${blocks} blocks`,
        blocks: { from: codes, to: unset(bytes) },
        aligned: [],
        writes: { to: [[0, bytes]] },
        ways: [
          (kernels, at) => kernels.pack_i2s(at("from"), at("to"), bytes),
          (kernels, at) => {
            let bad = 0;
            for (let begin = bytes - 32; begin >= 0; begin -= 32)
              bad += kernels.pack_i2s(at("from") + begin, at("to") + begin, 32);
            return bad;
          },
        ],
        check(outcome): void {
          requireSame([outcome.returned ?? NaN], [0], "returned");
          requireSame(outcome.bytes("to"), expected, "byte");
        },
      };
      // In place, and to a place 16 bytes before: "to ≤ from".
      for (const shift of [0, 16]) {
        yield {
          name: `${blocks} blocks to ${shift} bytes before themselves`,
          blocks: { both: bytesOf(new Uint8Array(shift), codes) },
          aligned: [],
          writes: { both: [[0, bytes + shift]] },
          ways: [(kernels, at) => kernels.pack_i2s(at("both") + shift, at("both"), bytes)],
          check: (outcome) => requireSame(outcome.bytes("both").subarray(0, bytes), expected, "byte"),
        };
      }
    }
    yield* codeThreeCases();
  },
};

/** A code 3 at each place of a block in turn, which must be reported as block 1 of 3. */
function* codeThreeCases(): Iterable<KernelCase> {
  const weights = createNumbers(62).ternary(3 * 128);
  for (let place = 0; place < 128; place += 1) {
    const codes = packI2sCodes(weights);
    codes[32 + (place % 32)] = (codes[32 + (place % 32)] ?? 0) | (3 << (6 - 2 * Math.floor(place / 32)));
    yield {
      name: `a code 3 at weight ${place} of block 1`,
      blocks: { from: codes, to: unset(96) },
      aligned: [],
      writes: { to: [[0, 96]] },
      ways: [(kernels, at) => kernels.pack_i2s(at("from"), at("to"), 96)],
      check: (outcome) => requireSame([outcome.returned ?? NaN], [2], "returned"),
    };
  }
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
