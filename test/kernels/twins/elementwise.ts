import type { Kernels } from "#dist/wasm/kernels.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import {
  type AddressOf,
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  stridedRows,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

const sizes = [0, 4, 8, 20, 640];

export const addRowsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(43);
    for (const tokens of [0, 1, 3]) for (const cols of sizes) yield addCase(tokens, cols, numbers);
    yield biasCase(3, 20, numbers);
  },
};

function addCase(tokens: number, cols: number, numbers: Numbers): KernelCase {
  const rows = (): Float32Array[] => Array.from({ length: tokens }, () => numbers.floats(cols));
  const [x, y] = [rows(), rows()];
  const [stride, addendStride] = [cols * 4 + 12, cols * 4 + 20];
  const part = (
    kernels: Kernels,
    at: AddressOf,
    t: number,
    count: number,
    begin: number,
    end: number,
  ): void =>
    kernels.add_rows(
      at("x") + t * stride,
      at("y") + t * addendStride,
      count,
      stride,
      addendStride,
      begin,
      end,
    );
  return {
    name: `${tokens} × ${cols}`,
    blocks: { x: stridedRows(x, stride), y: stridedRows(y, addendStride) },
    aligned: [],
    writes: { x: columnRanges(tokens, stride, 0, cols) },
    ways: [
      (kernels, at) => part(kernels, at, 0, tokens, 0, cols),
      (kernels, at) => {
        for (let t = tokens - 1; t >= 0; t -= 1) part(kernels, at, t, 1, 0, cols);
      },
      (kernels, at) => {
        for (let begin = 0; begin < cols; begin += 4) part(kernels, at, 0, tokens, begin, begin + 4);
      },
    ],
    check(outcome): void {
      x.forEach((row, t) => {
        const actual = outcome.floats("x").subarray((t * stride) / 4, (t * stride) / 4 + cols);
        requireSame(
          actual,
          row.map((value, k) => f32(value + valueAt(y[t] ?? [], k))),
          `token ${t}, column`,
        );
      });
    },
  };
}

/** Adds one row to all rows. */
function biasCase(tokens: number, cols: number, numbers: Numbers): KernelCase {
  const x = Array.from({ length: tokens }, () => numbers.floats(cols));
  const bias = numbers.floats(cols);
  return {
    name: `one row of ${cols} to ${tokens}`,
    blocks: { x: bytesOf(...x), y: bytesOf(bias) },
    aligned: [],
    writes: { x: [[0, tokens * cols * 4]] },
    ways: [(kernels, at) => kernels.add_rows(at("x"), at("y"), tokens, cols * 4, 0, 0, cols)],
    check(outcome): void {
      x.forEach((row, t) => {
        const actual = outcome.floats("x").subarray(t * cols, (t + 1) * cols);
        requireSame(
          actual,
          row.map((value, k) => f32(value + valueAt(bias, k))),
          `token ${t}, column`,
        );
      });
    },
  };
}

export const scaleRowsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(47);
    for (const tokens of [0, 1, 3]) for (const cols of sizes) yield scaleCase(tokens, cols, numbers);
  },
};

function scaleCase(tokens: number, cols: number, numbers: Numbers): KernelCase {
  const rows = Array.from({ length: tokens }, () => numbers.floats(cols));
  const stride = cols * 4 + 12;
  const factor = f32(Math.sqrt(640));
  return {
    name: `${tokens} × ${cols}`,
    blocks: { x: stridedRows(rows, stride) },
    aligned: [],
    writes: { x: columnRanges(tokens, stride, 0, cols) },
    ways: [
      (kernels, at) => kernels.scale_rows(at("x"), tokens, stride, cols, factor),
      (kernels, at) => {
        for (let t = tokens - 1; t >= 0; t -= 1) kernels.scale_rows(at("x") + t * stride, 1, 0, cols, factor);
      },
    ],
    check(outcome): void {
      rows.forEach((row, t) => {
        const actual = outcome.floats("x").subarray((t * stride) / 4, (t * stride) / 4 + cols);
        requireSame(
          actual,
          row.map((value) => f32(value * factor)),
          `token ${t}, column`,
        );
      });
    },
  };
}
