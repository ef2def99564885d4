import { at as valueAt } from "../../reference/float32.js";
import { bytesOf, type KernelCase, type KernelTwin, requireSame } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

const block = 64;

/** The bounds must hold with every rounding, and exceed the true value by at most a thousandth. */
export const screenRowsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(501);
    for (const count of [0, 1, 3, 4, 5, 13, 64, 65, 200, 1000]) {
      const approximate = numbers.floats(count);
      if (count === 200) approximate.set([NaN, Infinity], 70);
      const bounds = numbers.floats(count * 2).map(Math.abs);
      const [fromLost, fromSize] = [Math.fround(13.7), Math.fround(0.031)];
      const blocks = Math.ceil(count / block);
      yield {
        name: `${count} rows`,
        blocks: {
          logits: bytesOf(approximate),
          bounds: bytesOf(bounds),
          blocks: bytesOf(new Float32Array(blocks * 2)),
        },
        aligned: [],
        writes: { logits: [[0, count * 4]], blocks: [[0, blocks * 8]] },
        ways: [
          // prettier-ignore
          (kernels, at) =>
            kernels.screen_rows(at("logits"), at("bounds"), 0, count, fromLost, fromSize, at("blocks")),
          (kernels, at) => {
            for (let row = (blocks - 1) * block; row >= 0; row -= block) {
              const end = Math.min(count, row + block);
              kernels.screen_rows(at("logits"), at("bounds"), row, end, fromLost, fromSize, at("blocks"));
            }
          },
        ],
        check(outcome): void {
          const [upper, extremes] = [outcome.floats("logits"), outcome.floats("blocks")];
          approximate.forEach((a, row) => {
            const [error, room] = errorOf(row, a);
            const high = valueAt(upper, row);
            if (Number.isFinite(a) && !(high >= a + error && high <= a + error + room))
              throw new Error(`row ${row}: ${high} for ${a} with an error of ${error}`);
          });
          for (let index = 0; index < blocks; index += 1) {
            const rows = [...approximate.keys()].slice(index * block, (index + 1) * block);
            const highest = Math.max(...rows.map((row) => valueAt(upper, row)));
            requireSame([valueAt(extremes, 2 * index + 1)], [highest], "upper");
            const numbered = rows.filter((row) => !Number.isNaN(valueAt(approximate, row)));
            const lowest = (looser: number): number =>
              Math.max(
                ...numbered.map((row) => {
                  const a = valueAt(approximate, row);
                  const [error, room] = errorOf(row, a);
                  return a === Infinity ? -Infinity : a - error - room * looser;
                }),
              );
            const lower = valueAt(extremes, 2 * index);
            if (!(lower <= lowest(0) && lower >= lowest(1)))
              throw new Error(`block ${index}: lower ${lower}, expected ${lowest(1)} to ${lowest(0)}`);
          }
        },
      };

      function errorOf(row: number, a: number): readonly [number, number] {
        const error = valueAt(bounds, 2 * row) * fromLost + valueAt(bounds, 2 * row + 1) * fromSize;
        return [error, error * 1e-3 + Math.abs(a) * 1e-5 + 1e-30];
      }
    }
  },
};
