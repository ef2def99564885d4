import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exp, log } from "#dist/generation/sampling/deterministic-math.js";
import { createRandom, randomSeed } from "#dist/generation/sampling/random.js";

const view = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): string {
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

/** The number of doubles between two doubles of the same sign. */
function ulps(a: number, b: number): number {
  return Math.abs(Number(BigInt(`0x${bitsOf(a)}`) - BigInt(`0x${bitsOf(b)}`)));
}

describe("exp", () => {
  // Math.exp itself may have an error of one ulp, so the difference may be one ulp.
  test("is within 1 ulp of Math.exp", () => {
    fc.assert(
      fc.property(fc.double({ min: -750, max: 715, noNaN: true }), (x) => {
        expect(ulps(exp(x), Math.exp(x))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 20_000 },
    );
    fc.assert(
      fc.property(fc.double({ min: -2, max: 2, noNaN: true }), (x) => {
        expect(ulps(exp(x), Math.exp(x))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 20_000 },
    );
  });

  test("is exact at its edges", () => {
    expect([exp(0), exp(-0), exp(-Infinity), exp(Infinity), exp(NaN)]).toEqual([1, 1, 0, Infinity, NaN]);
    expect(exp(709.782712893384)).toBeLessThan(Infinity);
    expect([exp(709.8), exp(-746), exp(1e308), exp(-1e308)]).toEqual([Infinity, 0, Infinity, 0]);
    expect(exp(-745)).toBe(5e-324);
  });

  test("never falls as x rises", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -700, max: 700, noNaN: true }),
        fc.double({ min: 0, max: 1e-6, noNaN: true }),
        (x, d) => {
          expect(exp(x + d)).toBeGreaterThanOrEqual(exp(x) * (1 - 2 ** -52));
        },
      ),
    );
  });

  // Every runtime must give these bits. A change to them changes the text of every seed.
  test.each([
    [1, "4005bf0a8b145769"],
    [-0.1, "3fecf46d99d52b3a"],
    [-17.25, "3e614f49dbc5078c"],
    [100.5, "48ffcc37a76f9e76"],
    [-740, "0000000000000055"],
  ])("of %s has the recorded bits", (x, bits) => {
    expect(bitsOf(exp(x))).toBe(bits);
  });
});

describe("log", () => {
  test("is within 1 ulp of Math.log", () => {
    const positive = fc.oneof(
      fc.double({ min: 5e-324, max: 1.7e308, noNaN: true }),
      fc.double({ min: 0.25, max: 4, noNaN: true }),
    );
    fc.assert(
      fc.property(positive, (x) => {
        expect(ulps(log(x), Math.log(x))).toBeLessThanOrEqual(1);
      }),
      { numRuns: 20_000 },
    );
  });

  test("is exact at its edges", () => {
    expect([log(1), log(0), log(-1), log(Infinity), log(NaN)]).toEqual([0, -Infinity, NaN, Infinity, NaN]);
  });

  test.each([
    [2, "3fe62e42fefa39ef"],
    [10.75, "4002ffce9697cf1a"],
    [0.999, "bf5064670d979b73"],
  ])("of %s has the recorded bits", (x, bits) => {
    expect(bitsOf(log(x))).toBe(bits);
  });
});

describe("random numbers", () => {
  test("of a seed are the recorded ones", () => {
    const draw = (seed: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 3 }, () => Math.floor(random.next() * 2 ** 32));
    };
    expect(draw(0)).toEqual([4187458263, 1507648163, 231792390]);
    expect(draw(42)).toEqual([1874330981, 4172513185, 2593319876]);
    expect(draw(2 ** 53 - 1)).toEqual([3149168979, 61867113, 4047577340]);
  });

  test("are even over 64 boxes, from 0, below 1", () => {
    for (const seed of [0, 1, 2, 2 ** 32, 2 ** 53 - 1]) {
      const random = createRandom(seed);
      const boxes = new Array<number>(64).fill(0);
      for (let draw = 0; draw < 64_000; draw += 1) {
        const value = random.next();
        expect(value >= 0 && value < 1).toBe(true);
        const box = Math.floor(value * 64);
        boxes[box] = (boxes[box] ?? 0) + 1;
      }
      const chiSquared = boxes.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
      // 63 degrees of freedom: 63 ± 11.2. The bound is five deviations.
      expect(chiSquared).toBeGreaterThan(63 - 56);
      expect(chiSquared).toBeLessThan(63 + 56);
    }
  });

  test("of neighbouring seeds have nothing in common", () => {
    const first = new Set(Array.from({ length: 2000 }, (_, seed) => createRandom(seed).next()));
    expect(first.size).toBe(2000);
    const mean = [...first].reduce((sum, value) => sum + value, 0) / first.size;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 2000));
  });

  test("seeds by chance are whole numbers below 2^53", () => {
    for (let draw = 0; draw < 100; draw += 1) expect(Number.isSafeInteger(randomSeed())).toBe(true);
  });
});
