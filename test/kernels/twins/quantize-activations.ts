import { quantizeI14, quantizeI8 } from "../../reference/activations.js";
import { wholeBlocks } from "../../reference/ternary-groups.js";
import { type KernelCase, type KernelTwin, requireSame, stridedRows, unset } from "../kernel-case.js";
import { createNumbers } from "../numbers.js";

/** Named rows that reveal errors of rounding, clamping and scaling first. */
export function* hardRows(lengths: readonly number[]): Iterable<readonly [string, Float32Array]> {
  const numbers = createNumbers(55);
  for (const length of lengths) yield [`${length} columns`, numbers.floats(length)];
  const row = (name: string, value: (k: number) => number): readonly [string, Float32Array] => [
    name,
    Float32Array.from({ length: 32 }, (_, k) => value(k)),
  ];
  yield row("zeros", () => 0);
  yield row("zeros of both signs", (k) => (k % 2 === 0 ? -0 : 0));
  yield row("all the same", () => -3.7);
  yield row("one large value", (k) => (k === 31 ? -1e6 : 1e-3));
  // A maximum of 127 makes the scale 1 (of 8128: 64 and 1), so that halves are ties in f32 itself.
  yield row("ties", (k) => (k === 0 ? 127 : k - 15.5));
  yield row("ties of 14 bits", (k) => (k === 0 ? -8128 : (k - 15.5) * 256 + 0.5));
  yield row("below the floor of the maximum", (k) => (k - 16) * 1e-7);
  yield row("subnormals", (k) => (k - 16) * 2 ** -149);
  yield row("the largest finite values", (k) => (k % 3 === 0 ? 3.4e38 : -1e38));
}

export const quantizeI8Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const { name, rows, cols } of tokenSets()) {
      const inputStride = cols * 4 + 32;
      const whole = wholeBlocks(cols);
      const outputStride = whole + 16;
      yield {
        name,
        blocks: {
          inputs: stridedRows(rows, inputStride),
          output: unset(rows.length * outputStride),
          records: unset(rows.length * 8),
        },
        aligned: ["inputs", "output"],
        writes: {
          output: rows.map((_, t) => [t * outputStride, t * outputStride + whole]),
          records: [[0, rows.length * 8]],
        },
        ways: [
          (kernels, at) => {
            const [from, to, records] = [at("inputs"), at("output"), at("records")];
            kernels.quantize_activations_i8(from, cols, rows.length, inputStride, to, outputStride, records);
          },
          (kernels, at) => {
            for (let t = rows.length - 1; t >= 0; t -= 1) {
              const from = at("inputs") + t * inputStride;
              const to = at("output") + t * outputStride;
              kernels.quantize_activations_i8(from, cols, 1, 0, to, 0, at("records") + t * 8);
            }
          },
        ],
        check(outcome): void {
          rows.forEach((row, t) => {
            const expected = quantizeI8(row);
            const filled = new Int8Array(whole);
            filled.set(expected.values);
            const values = new Int8Array(outcome.bytes("output").buffer, t * outputStride, whole);
            requireSame(values, filled, `token ${t}, column`);
            requireSame(
              outcome.floats("records").subarray(2 * t, 2 * t + 1),
              [expected.scale],
              `token ${t}, scale`,
            );
            requireSame(
              outcome.ints("records").subarray(2 * t + 1, 2 * t + 2),
              [expected.sum],
              `token ${t}, sum`,
            );
          });
        },
      };
    }
  },
};

export const quantizeI14Twin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const { name, rows, cols } of tokenSets()) {
      const inputStride = cols * 4 + 32;
      yield {
        name,
        blocks: {
          inputs: stridedRows(rows, inputStride),
          output: unset(rows.length * cols * 2),
          scales: unset(rows.length * 4),
        },
        aligned: ["inputs", "output"],
        writes: { output: [[0, rows.length * cols * 2]], scales: [[0, rows.length * 4]] },
        ways: [
          (kernels, at) =>
            kernels.quantize_activations_i14(
              at("inputs"),
              cols,
              rows.length,
              inputStride,
              at("output"),
              at("scales"),
            ),
          (kernels, at) => {
            for (let t = rows.length - 1; t >= 0; t -= 1) {
              const from = at("inputs") + t * inputStride;
              kernels.quantize_activations_i14(
                from,
                cols,
                1,
                0,
                at("output") + t * cols * 2,
                at("scales") + t * 4,
              );
            }
          },
        ],
        check(outcome): void {
          rows.forEach((row, t) => {
            const expected = quantizeI14(row);
            const planes = outcome.bytes("output").subarray(t * cols * 2, (t + 1) * cols * 2);
            requireSame(planes.subarray(0, cols), expected.high, `token ${t}, high`);
            requireSame(planes.subarray(cols), expected.low, `token ${t}, low`);
            requireSame(outcome.floats("scales").subarray(t, t + 1), [expected.scale], `token ${t}, scale`);
          });
        },
      };
    }
  },
};

/** Tokens of one length each: the hard rows one by one, and several tokens with gaps between them. */
function* tokenSets(): Iterable<{
  readonly name: string;
  readonly rows: readonly Float32Array[];
  readonly cols: number;
}> {
  for (const [name, row] of hardRows([0, 16, 32, 48, 2560, 6912]))
    yield { name, rows: [row], cols: row.length };
  const numbers = createNumbers(56);
  for (const tokens of [0, 2, 5]) {
    for (const cols of [16, 112]) {
      yield {
        name: `${tokens} tokens of ${cols}`,
        rows: Array.from({ length: tokens }, () => numbers.floats(cols)),
        cols,
      };
    }
  }
}
