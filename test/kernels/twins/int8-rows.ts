import { int8Output, packRowI8, quantizeI14 } from "../../reference/activations.js";
import { type DotForm, int8Kernel, int8PairsKernel } from "#dist/wasm/dot-forms.js";
import type { Kernels } from "#dist/wasm/kernels.js";
import { numberToFloat16 } from "#dist/weight-formats/float16.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import { halfToNumber } from "../../reference/halves.js";
import {
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  stridedRows,
  unset,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";
import { splitWays } from "./splits.js";

/** @param options.inPairs whether the kernel takes 32 columns a step. */
export function int8MatmulTwin(form: DotForm, { inPairs }: { readonly inPairs: boolean }): KernelTwin {
  const kind = { form, inPairs };
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(91);
      for (const cols of [16, 48, 256]) {
        for (const rows of [0, 1, 3, 4, 5, 13])
          for (const tokens of [0, 1, 2, 3, 4, 5, 8]) yield matmulCase(kind, { rows, cols, tokens }, numbers);
      }
      yield matmulCase(kind, { rows: 5, cols: 0, tokens: 2 }, numbers);
      // The second one has several chunks of rows.
      for (const rows of [17, 60]) yield matmulCase(kind, { rows, cols: 2560, tokens: 7 }, numbers);
      // The largest sums, from rows of −128 and planes of 127.
      for (const weight of [-128, 127])
        yield matmulCase(kind, { rows: 5, cols: 6912, tokens: 5, extreme: { weight, plane: 127 } }, numbers);
    },
    onlyInRelaxed: form !== "i8",
  };
}

function matmulCase(
  { form, inPairs }: { readonly form: DotForm; readonly inPairs: boolean },
  {
    rows,
    cols,
    tokens,
    extreme,
  }: {
    readonly rows: number;
    readonly cols: number;
    readonly tokens: number;
    readonly extreme?: { readonly weight: number; readonly plane: number };
  },
  numbers: Numbers,
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
      scratch: unset(256),
    },
    aligned: ["weights", "inputs"],
    scratch: ["scratch"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1), scratch: [[0, 256]] },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, part) => {
        const { rowBegin, rowEnd, tokenBegin: t, tokenEnd } = part;
        const operands = [
          at("weights"),
          at("records"),
          cols,
          rowBegin,
          rowEnd,
          at("inputs") + t * cols * 2,
        ] as const;
        const output = [
          at("scales") + t * 4,
          tokenEnd - t,
          at("output") + t * outputStride,
          outputStride,
        ] as const;
        if (inPairs) int8PairsKernel(kernels, form)(...operands, ...output, at("scratch"), scale, accumulate);
        else int8Kernel(kernels, form)(...operands, ...output, scale, accumulate);
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

export const packHalvesTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(93);
    for (const cols of [16, 48, 2560]) {
      for (const count of [0, 1, 5]) {
        const rows = Array.from({ length: count }, (_, r) =>
          // Rows of ordinary weights, of subnormal halves, of zeros, and with one weight far above the rest.
          Float32Array.from(numbers.floats(cols), (value, k) =>
            halfToNumber(
              numberToFloat16(value * ([0.02, 3e-6, 0, 0.02, 60][r] ?? 1) + (r === 3 && k === 7 ? 90 : 0)),
            ),
          ),
        );
        yield packHalvesCase(rows, cols);
      }
    }
    const withInfinity = new Float32Array(16).fill(1);
    withInfinity[3] = Infinity;
    yield {
      ...packHalvesCase([withInfinity], 16),
      name: "a row with an infinity",
      check: (outcome) => {
        if (!((outcome.returned ?? 0) >= 65536))
          throw new Error(`returned ${String(outcome.returned)} for an infinity`);
      },
    };
  },
};

function packHalvesCase(rows: readonly Float32Array[], cols: number): KernelCase {
  const count = rows.length;
  const expected = rows.map(packRowI8);
  const call = (kernels: Kernels, at: (block: string) => number, begin: number, end: number): number =>
    kernels.pack_halves_i8(at("halves"), cols, begin, end, at("weights"), at("records"), at("bounds"));
  return {
    name: `${count} × ${cols}`,
    blocks: {
      halves: bytesOf(...rows.map((row) => Uint16Array.from(row, numberToFloat16))),
      weights: unset(count * cols),
      records: unset(count * 8),
      bounds: unset(count * 8),
    },
    aligned: ["halves", "weights"],
    writes: {
      weights: [[0, count * cols]],
      records: [[0, count * 8]],
      bounds: [[0, count * 8]],
    },
    ways: [
      (kernels, at) => call(kernels, at, 0, count),
      (kernels, at) => Math.max(0, ...rows.map((_, row) => call(kernels, at, row, row + 1))),
    ],
    check(outcome): void {
      requireSame([outcome.returned ?? NaN], [Math.max(0, ...rows.map(largestOf))], "returned");
      rows.forEach((row, r) => {
        const { values, scale, sum } = expected[r] ?? { values: new Int8Array(0), scale: NaN, sum: NaN };
        requireSame(
          new Int8Array(outcome.bytes("weights").buffer, r * cols, cols),
          values,
          `row ${r}, weight`,
        );
        requireSame(outcome.floats("records").subarray(2 * r, 2 * r + 1), [scale], `row ${r}, scale`);
        requireSame(outcome.ints("records").subarray(2 * r + 1, 2 * r + 2), [sum], `row ${r}, sum`);
        const lost = Math.hypot(...row.map((value, k) => value - valueAt(values, k) * scale));
        const [boundOfLost = NaN, boundOfRow = NaN] = outcome.floats("bounds").subarray(2 * r, 2 * r + 2);
        // Screening needs a bound above the true value, and close to it.
        for (const [bound, truth] of [
          [boundOfLost, lost],
          [boundOfRow, Math.hypot(...row)],
        ] as const) {
          if (!(bound >= truth && bound <= truth * 1.01 + 1e-9)) {
            throw new Error(`row ${r}: ${bound} is no close bound of ${truth}`);
          }
        }
      });
    },
  };
}

function largestOf(row: Float32Array): number {
  return row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
