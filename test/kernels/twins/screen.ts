import { at as valueAt } from "../../reference/float32.js";
import { bytesOf, type KernelCase, type KernelTwin, requireSame, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

/** What the bounds are there for: they must hold with every rounding, and be no looser than a thousandth more. */
export const screenBoundsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(501);
    for (const count of [0, 1, 3, 4, 5, 13, 1000]) {
      const approximate = numbers.floats(count);
      const bounds = numbers.floats(count * 2).map(Math.abs);
      const [fromLost, fromSize] = [Math.fround(13.7), Math.fround(0.031)];
      yield {
        name: `${count} rows`,
        blocks: {
          approximate: bytesOf(approximate),
          bounds: bytesOf(bounds),
          lower: unset(count * 4),
          upper: unset(count * 4),
        },
        aligned: [],
        writes: { lower: [[0, count * 4]], upper: [[0, count * 4]] },
        ways: [
          // prettier-ignore
          (kernels, at) =>
            kernels.screen_bounds(
              at("approximate"), at("bounds"), count, fromLost, fromSize, at("lower"), at("upper"),
            ),
        ],
        check(outcome): void {
          const [lower, upper] = [outcome.floats("lower"), outcome.floats("upper")];
          requireSame(
            [outcome.returned ?? NaN],
            [Math.max(-Infinity, ...lower.subarray(0, count))],
            "largest",
          );
          approximate.forEach((a, row) => {
            const error = valueAt(bounds, 2 * row) * fromLost + valueAt(bounds, 2 * row + 1) * fromSize;
            const room = error * 1e-3 + Math.abs(a) * 1e-5 + 1e-30;
            const [low, high] = [valueAt(lower, row), valueAt(upper, row)];
            if (low > a - error || high < a + error || low < a - error - room || high > a + error + room) {
              throw new Error(`row ${row}: ${low} … ${high} around ${a} with an error of ${error}`);
            }
          });
        },
      };
    }
  },
};

export const screenCollectTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(502);
    for (const count of [0, 1, 3, 4, 5, 13, 1000]) {
      for (const floor of [-Infinity, 0, 0.5, Infinity]) {
        const upper = numbers.floats(count);
        if (count > 4) upper.set([NaN, 0.5], 2);
        const expected = [...upper.keys()].filter((row) => !(valueAt(upper, row) < floor));
        yield {
          name: `${count} rows from ${floor}`,
          blocks: { upper: bytesOf(upper), rows: unset(expected.length * 4) },
          aligned: [],
          writes: { rows: [[0, expected.length * 4]] },
          ways: [(kernels, at) => kernels.screen_collect(at("upper"), count, floor, at("rows"))],
          check(outcome): void {
            requireSame([outcome.returned ?? NaN], [expected.length], "returned");
            requireSame(outcome.ints("rows"), expected, "row");
          },
        };
      }
    }
  },
};
