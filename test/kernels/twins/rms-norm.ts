import { at as valueAt, ulpsApart } from "../../reference/float32.js";
import { rmsNorm } from "../../reference/rms-norm.js";
import { recordFigure } from "../../support/figures.js";
import {
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  stridedRows,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

const epsilon = 1e-5;

/**
 * Both sum f32 squares in f64, in different orders. The sums differ by parts in 10¹³. That is visible only if
 * a rounding to f32 falls between them. Then the factor differs by an ulp. Two multiplications may make it
 * two.
 */
const boundUlps = 2;

export const rmsNormTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(31);
    for (const tokens of [0, 1, 2, 5])
      for (const cols of [4, 8, 12, 32, 36]) yield normCase(tokens, cols, numbers);
    for (const cols of [0, 2560, 6912]) yield normCase(2, cols, numbers);
    yield normCase(1, 32, numbers, (x) => x.fill(0));
    yield normCase(1, 32, numbers, (x) => x.fill(2 ** -149));
    yield normCase(1, 32, numbers, (x) => x.fill(1e18));
    yield inPlaceCase(numbers);
  },
};

function requireClose(actual: Float32Array, expected: Float32Array, what: string): void {
  let maxUlps = 0;
  expected.forEach((value, k) => {
    const ulps = ulpsApart(valueAt(actual, k), value);
    if (ulps > boundUlps) throw new Error(`${what} ${k} is ${actual[k]}, expected ${value}: ${ulps} ulp`);
    maxUlps = Math.max(maxUlps, ulps);
  });
  recordFigure("rms_norm against its twin, ulp", maxUlps);
}

function normCase(
  tokens: number,
  cols: number,
  numbers: Numbers,
  change?: (x: Float32Array) => void,
): KernelCase {
  const rows = Array.from({ length: tokens }, () => numbers.floats(cols));
  if (change) rows.forEach(change);
  const weights = numbers.floats(cols);
  const inputStride = cols * 4 + 12;
  const outputStride = cols * 4 + 20;
  return {
    name: `${tokens} tokens of ${cols}${change ? `, all ${rows[0]?.[0]}` : ""}`,
    blocks: { x: stridedRows(rows, inputStride), weights: bytesOf(weights), y: unset(tokens * outputStride) },
    aligned: [],
    writes: { y: columnRanges(tokens, outputStride, 0, cols) },
    ways: [
      (kernels, at) =>
        kernels.rms_norm(at("x"), cols, tokens, inputStride, at("weights"), epsilon, at("y"), outputStride),
      (kernels, at) => {
        for (let t = tokens - 1; t >= 0; t -= 1) {
          const to = at("y") + t * outputStride;
          kernels.rms_norm(at("x") + t * inputStride, cols, 1, 0, at("weights"), epsilon, to, 0);
        }
      },
    ],
    check(outcome): void {
      rows.forEach((row, t) => {
        const actual = outcome.floats("y").subarray((t * outputStride) / 4);
        requireClose(actual, rmsNorm(row, weights, epsilon), `token ${t}, column`);
      });
    },
  };
}

function inPlaceCase(numbers: Numbers): KernelCase {
  const rows = Array.from({ length: 3 }, () => numbers.floats(40));
  const weights = numbers.floats(40);
  return {
    name: "in place",
    blocks: { x: bytesOf(...rows), weights: bytesOf(weights) },
    aligned: [],
    writes: { x: [[0, 480]] },
    ways: [(kernels, at) => kernels.rms_norm(at("x"), 40, 3, 160, at("weights"), epsilon, at("x"), 160)],
    check(outcome): void {
      rows.forEach((row, t) => {
        requireClose(
          outcome.floats("x").subarray(t * 40),
          rmsNorm(row, weights, epsilon),
          `token ${t}, column`,
        );
      });
    },
  };
}
