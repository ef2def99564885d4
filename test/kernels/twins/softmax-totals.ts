import { at as valueAt } from "../../reference/float32.js";
import { recordFigure } from "../../support/figures.js";
import { type KernelCase, type KernelTwin, requireSame, stridedRows, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

const maxFloat32 = 3.4028234663852886e38;

/** Both sum in f64, in different orders. The twin uses the host's exponential, which may differ by an ulp. */
function requireClose(actual: number, expected: number, terms: number, what: string): void {
  const error = Math.abs(actual / expected - 1);
  if (!(error <= (terms + 4) * 2 ** -52)) throw new Error(`${what} is ${actual}, expected ${expected}`);
  recordFigure("softmax_totals against its twin, relative", error);
}

/** The definition, one number after another. */
function slowTotals(row: Float32Array): readonly [number, number] {
  const logits = [...row].filter((x) => x > -Infinity).map((x) => Math.min(x, maxFloat32));
  const largest = logits.reduce((max, x) => Math.max(max, x), -Infinity);
  return [largest, logits.reduce((sum, x) => sum + Math.exp(x - largest), 0)];
}

export const softmaxTotalsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(701);
    const floats = (cols: number, scale = 5): Float32Array => numbers.floats(cols).map((x) => x * scale);
    for (const rows of [0, 1, 2, 5])
      for (const cols of [1, 3, 4, 5, 7, 8, 9, 16, 31, 4096])
        yield totalsCase(
          `${rows} × ${cols}`,
          Array.from({ length: rows }, () => floats(cols)),
        );
    yield totalsCase("a real vocabulary", [floats(128_256)]);
    yield totalsCase("far apart", [floats(100, 1e4), floats(100, 200), floats(100, 1e38)]);
    for (const [name, value] of [
      ["NaN", NaN],
      ["−∞", -Infinity],
      ["+∞", Infinity],
    ] as const) {
      // At every index of a group of eight and of the remainder after it.
      const rows = Array.from({ length: 11 }, (_, index) => {
        const row = floats(11);
        row[index] = value;
        return row;
      });
      yield totalsCase(`${name} among numbers`, rows);
    }
    yield totalsCase("nothing but −∞ and NaN", [
      new Float32Array(11).fill(-Infinity),
      new Float32Array(11).fill(NaN),
    ]);
    yield totalsCase("zeros", [new Float32Array(19)]);
  },
};

function totalsCase(name: string, rows: readonly Float32Array[]): KernelCase {
  const cols = rows[0]?.length ?? 0;
  const stride = cols * 4 + 12;
  return {
    name,
    blocks: { x: stridedRows(rows, stride), output: unset(rows.length * 16) },
    aligned: [],
    writes: { output: [[0, rows.length * 16]] },
    ways: [
      (kernels, at) => kernels.softmax_totals(at("x"), cols, rows.length, stride, at("output")),
      (kernels, at) => {
        for (let t = rows.length - 1; t >= 0; t -= 1)
          kernels.softmax_totals(at("x") + t * stride, cols, 1, 0, at("output") + t * 16);
      },
    ],
    check(outcome): void {
      const totals = new Float64Array(outcome.bytes("output").buffer);
      rows.forEach((row, t) => {
        const [largest, total] = slowTotals(row);
        requireSame([valueAt(totals, 2 * t)], [largest], `largest of row ${t}`);
        const actual = valueAt(totals, 2 * t + 1);
        if (largest === -Infinity) requireSame([actual], [0], `total of row ${t}`);
        else requireClose(actual, total, cols, `total of row ${t}`);
      });
    },
  };
}
