import { int8Output, packRowI8, quantizeI14 } from "../../reference/activations.js";
import { at as valueAt, f32, roundoff } from "../../reference/float32.js";
import {
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  requireWithin,
  stridedRows,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";
import { hardRows } from "./quantize-activations.js";
import { splitWays } from "./splits.js";

export const int8ProductTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(91);
    for (const cols of [16, 48, 256]) {
      for (const rows of [0, 1, 3, 4, 5, 13])
        for (const tokens of [0, 1, 2, 5]) yield productCase(rows, cols, tokens, numbers);
    }
    yield productCase(5, 0, 2, numbers);
    yield productCase(17, 2560, 2, numbers);
    // The largest sums that rows of −128 and planes of 127 make.
    yield productCase(5, 6912, 2, numbers, { weight: -128, plane: 127 });
    yield productCase(5, 6912, 2, numbers, { weight: 127, plane: 127 });
  },
};

function productCase(
  rows: number,
  cols: number,
  tokens: number,
  numbers: Numbers,
  extreme?: { readonly weight: number; readonly plane: number },
): KernelCase {
  const allRows = rows + 2;
  const weights = Array.from({ length: allRows }, () => {
    const values = extreme ? new Int8Array(cols).fill(extreme.weight) : numbers.bytes(cols);
    return {
      values,
      scale: f32(numbers.whole(1, 900) / 1e4),
      sum: values.reduce((sum, value) => sum + value, 0),
    };
  });
  const inputs = Array.from({ length: tokens }, () => {
    const quantized = quantizeI14(numbers.floats(cols));
    if (extreme) for (const plane of [quantized.high, quantized.low]) plane.fill(extreme.plane);
    return quantized;
  });
  const scale = rows % 2 === 0 ? 1 : f32(0.3);
  const accumulate = (rows + tokens) % 2;
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: `${rows} × ${cols} · ${tokens}${extreme ? `, all ${extreme.weight}` : ""}`,
    blocks: {
      weights: bytesOf(...weights.map(({ values }) => values)),
      records: bytesOf(...weights.flatMap((row) => [Float32Array.of(row.scale), Int32Array.of(row.sum)])),
      inputs: bytesOf(...inputs.flatMap(({ high, low }) => [high, low])),
      scales: bytesOf(...inputs.map((input) => Float32Array.of(input.scale))),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
    },
    aligned: ["weights", "inputs"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1) },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, part) => {
        const { rowBegin, rowEnd, tokenBegin: t, tokenEnd } = part;
        // prettier-ignore
        kernels.matmul_i8_i14(
        at("weights"), at("records"), cols, rowBegin, rowEnd, at("inputs") + t * cols * 2, at("scales") + t * 4,
        tokenEnd - t, at("output") + t * outputStride, outputStride, scale, accumulate,
      );
      },
    ),
    check(outcome): void {
      inputs.forEach((input, t) => {
        const actual = outcome
          .floats("output")
          .subarray((t * outputStride) / 4 + 1)
          .subarray(0, rows);
        const expected = Float32Array.from(actual, (_, r) => {
          const row = weights[r + 1];
          const value = row === undefined ? NaN : int8Output(row, input, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}

export const packRowTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const [name, row] of hardRows([0, 16, 32, 48, 2560])) {
      const cols = row.length;
      const expected = packRowI8(row);
      const check: KernelCase["check"] = (outcome) => {
        const values = new Int8Array(outcome.bytes("weights").buffer, 0, cols);
        requireSame(values, expected.values, "weight");
        requireSame(outcome.floats("record").subarray(0, 1), [expected.scale], "scale");
        requireSame(outcome.ints("record").subarray(1), [expected.sum], "sum");
        // Half a step, and the rounding of a quotient of up to 127 steps before that.
        const bound = expected.scale * (0.5 + 127 * roundoff) + 2 ** -149;
        requireWithin(
          Array.from(values, (value) => value * expected.scale),
          row,
          () => bound,
          "packed value",
        );
      };
      yield {
        name,
        blocks: { row: bytesOf(row), weights: unset(cols), record: unset(8) },
        aligned: [],
        writes: { weights: [[0, cols]], record: [[0, 8]] },
        ways: [(kernels, at) => kernels.pack_row_i8(at("row"), cols, at("weights"), at("record"))],
        check,
      };
      yield {
        name: `${name}, in place`,
        blocks: { weights: bytesOf(row), record: unset(8) },
        aligned: [],
        writes: { weights: [[0, cols]], record: [[0, 8]] },
        ways: [(kernels, at) => kernels.pack_row_i8(at("weights"), cols, at("weights"), at("record"))],
        check,
      };
    }
  },
};

export const int8RowTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(92);
    for (const cols of [0, 16, 48, 2560]) {
      const rows = Array.from({ length: 3 }, () => ({
        values: numbers.bytes(cols),
        scale: f32(numbers.whole(1, 900) / 1e4),
      }));
      for (const row of [0, 2]) {
        yield {
          name: `row ${row} of 3 × ${cols}`,
          blocks: {
            weights: bytesOf(...rows.map(({ values }) => values)),
            records: bytesOf(...rows.flatMap(({ scale }) => [Float32Array.of(scale), Int32Array.of(0)])),
            output: unset(cols * 4),
          },
          aligned: [],
          writes: { output: [[0, cols * 4]] },
          ways: [(kernels, at) => kernels.row_i8(at("weights"), at("records"), cols, row, at("output"))],
          check(outcome): void {
            const { values, scale } = rows[row] ?? { values: new Int8Array(0), scale: NaN };
            const expected = Float32Array.from({ length: cols }, (_, k) => valueAt(values, k) * scale);
            requireSame(outcome.floats("output"), expected, "column");
          },
        };
      }
    }
  },
};
