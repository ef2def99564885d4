import type { Kernels } from "#dist/wasm/kernels.js";
import {
  dotProduct,
  dotProductBound,
  dotProductInOrder,
  type SumOrder,
} from "../../reference/float-product.js";
import { f32, roundoff } from "../../reference/float32.js";
import { rebiasedBits, roundToHalf } from "../../reference/halves.js";
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
import { splitWays } from "./splits.js";

/** A layout of float rows: the storage of weights, and the sum of each weight. */
export interface FloatLayout {
  readonly product: "matmul_f32_f32" | "matmul_bf16_f32" | "matmul_f16_f32";
  readonly row: "row_f32" | "row_bf16" | "row_f16";
  /** The nearest number that the layout can hold. */
  nearest(value: number): number;
  encode(values: Float32Array): Uint8Array;
  readonly order: SumOrder;
}

export const f32Layout: FloatLayout = {
  product: "matmul_f32_f32",
  row: "row_f32",
  nearest: f32,
  encode: (values) => bytesOf(values),
  order: "halves",
};

export const bf16Layout: FloatLayout = {
  product: "matmul_bf16_f32",
  row: "row_bf16",
  nearest: bfloat16,
  encode: (values) => bytesOf(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16)),
  order: "even-odd",
};

export const f16Layout: FloatLayout = {
  product: "matmul_f16_f32",
  row: "row_f16",
  nearest: roundToHalf,
  encode: (values) => bytesOf(Uint16Array.from(values, (value) => rebiasedBits(value) ?? NaN)),
  order: "even-odd",
};

function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer).map((word) => word & 0xffff0000);
  return new Float32Array(bits.buffer)[0] ?? NaN;
}

export function floatMatmulTwin(layout: FloatLayout): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(77);
      for (const cols of [8, 24, 264]) {
        for (const rows of [0, 1, 3, 4, 5, 13])
          for (const tokens of [0, 1, 2, 5]) yield matmulCase(layout, rows, cols, tokens, numbers);
      }
      for (const cols of [0, 16]) yield matmulCase(layout, 5, cols, 2, numbers);
      yield matmulCase(layout, 17, 2560, 2, numbers);
    },
  };
}

function matmulCase(
  layout: FloatLayout,
  rows: number,
  cols: number,
  tokens: number,
  numbers: Numbers,
): KernelCase {
  const allRows = rows + 2;
  const weights = Array.from({ length: allRows }, () => numbers.floats(cols).map(layout.nearest));
  const inputs = Array.from({ length: tokens }, () => numbers.floats(cols));
  const scale = rows % 2 === 0 ? 1 : f32(0.3);
  const accumulate = (rows + tokens) % 2;
  const inputStride = cols * 4 + 12 * (rows % 3);
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: `${rows} × ${cols} · ${tokens}`,
    blocks: {
      weights: bytesOf(...weights.map(layout.encode)),
      inputs: stridedRows(inputs, inputStride),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
    },
    aligned: [],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1) },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, part) => {
        const { rowBegin, rowEnd, tokenBegin: t, tokenEnd } = part;
        // prettier-ignore
        kernels[layout.product](
        at("weights"), cols, rowBegin, rowEnd, at("inputs") + t * inputStride, inputStride, tokenEnd - t,
        at("output") + t * outputStride, outputStride, scale, accumulate,
      );
      },
    ),
    check(outcome): void {
      inputs.forEach((input, t) => {
        const actual = outcome
          .floats("output")
          .subarray((t * outputStride) / 4 + 1)
          .subarray(0, rows);
        const added = (r: number): number => (accumulate ? (before[t]?.[r + 1] ?? NaN) : 0);
        const row = (r: number): Float32Array => weights[r + 1] ?? new Float32Array(0);
        const inOrder = Float32Array.from(actual, (_, r) => {
          const value = f32(dotProductInOrder(row(r), input, layout.order) * scale);
          return accumulate ? added(r) + value : value;
        });
        requireSame(actual, inOrder, `token ${t}, row`);
        const exact = Array.from(actual, (_, r) => added(r) + dotProduct(row(r), input) * scale);
        // The multiplication by the scale and the addition to the output round once each.
        const bound = (r: number): number =>
          dotProductBound(row(r), input, 8) * scale +
          3 * roundoff * (Math.abs(exact[r] ?? NaN) + Math.abs(added(r)));
        requireWithin(actual, exact, bound, `token ${t}, row`);
      });
    },
  };
}

export function floatRowTwin(layout: FloatLayout): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(78);
      for (const cols of [0, 8, 16, 24, 2560]) {
        const weights = Array.from({ length: 3 }, () => numbers.floats(cols).map(layout.nearest));
        for (const row of [0, 2]) {
          yield {
            name: `row ${row} of 3 × ${cols}`,
            blocks: { weights: bytesOf(...weights.map(layout.encode)), output: unset(cols * 4) },
            aligned: [],
            writes: { output: [[0, cols * 4]] },
            ways: [(kernels: Kernels, at) => kernels[layout.row](at("weights"), cols, row, at("output"))],
            check: (outcome) => requireSame(outcome.floats("output"), weights[row] ?? [], "column"),
          };
        }
      }
    },
  };
}
