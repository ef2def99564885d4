import { type DotForm, ternaryKernel } from "#dist/wasm/dot-forms.js";
import { type Kernels, ternaryScratchBytes } from "#dist/wasm/kernels.js";
import { packTernaryRows, ternaryOutput } from "../../reference/ternary.js";
import { f32 } from "../../reference/float32.js";
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

interface Matmul {
  readonly rows: number;
  readonly cols: number;
  readonly tokens: number;
  /** All weights equal and all activations equal, for the largest sums. */
  readonly extreme?: { readonly weight: number; readonly activation: number };
}

type Multiply = (kernels: Kernels) => Kernels["matmul_ternary_i8_dot_i8"];

export function ternaryTwin(form: DotForm): KernelTwin {
  return {
    cases: () => cases((kernels) => ternaryKernel(kernels, form), matmuls()),
    onlyInRelaxed: form !== "i8",
  };
}

/** The tiles for 256 bits: also with columns in pieces and rows in several chunks. */
export const wideTernaryTwin: KernelTwin = {
  cases: () => cases((kernels) => kernels.matmul_ternary_wide_i8_dot_i32, [...matmuls(), ...wideMatmuls()]),
  onlyInRelaxed: true,
};

function* cases(multiply: Multiply, shapes: Iterable<Matmul>): Iterable<KernelCase> {
  const numbers = createNumbers(1234);
  for (const matmul of shapes) yield ternaryCase(multiply, matmul, numbers);
}

function* wideMatmuls(): Iterable<Matmul> {
  for (const tokens of [2, 3, 4, 7, 8]) {
    for (const cols of [6144, 6272, 8320]) yield { rows: 70, cols, tokens };
    yield { rows: 300, cols: 128, tokens };
  }
}

function* matmuls(): Iterable<Matmul> {
  // 1024 columns are eight blocks, after which 16-bit sums are flushed. Row counts are around the tiles of 4
  // × 1 and 2 × 4, and prime.
  for (const cols of [128, 1024, 1152]) {
    for (const rows of [0, 1, 2, 3, 4, 5, 8, 13])
      for (const tokens of [0, 1, 3, 4, 5, 9]) yield { rows, cols, tokens };
  }
  for (const cols of [0, 256, 384, 896]) yield { rows: 13, cols, tokens: 5 };
  // Parts of 2B4T's matrices: 2560 × 2560 and 2560 × 6912.
  for (const cols of [2560, 6912]) for (const tokens of [1, 6]) yield { rows: 17, cols, tokens };
  for (const weight of [-1, 1]) {
    for (const activation of [-128, 127])
      yield { rows: 5, cols: 6912, tokens: 5, extreme: { weight, activation } };
  }
}

function ternaryCase(
  multiply: Multiply,
  { rows, cols, tokens, extreme }: Matmul,
  numbers: Numbers,
): KernelCase {
  // One row before and one behind the range. They must not change.
  const allRows = rows + 2;
  const weights = extreme
    ? new Int8Array(allRows * cols).fill(extreme.weight)
    : numbers.ternary(allRows * cols);
  const inputs = Array.from({ length: tokens }, () => {
    const values = extreme ? new Int8Array(cols).fill(extreme.activation) : numbers.bytes(cols);
    return {
      values,
      scale: f32(numbers.whole(1, 4000) / 7),
      sum: values.reduce((sum, value) => sum + value, 0),
    };
  });
  const scale = f32(0.0371);
  const accumulate = (rows + tokens) % 2;
  const inputStride = cols + 16 * (rows % 3);
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: `${rows} × ${cols} · ${tokens}${extreme ? `, all ${extreme.weight} · ${extreme.activation}` : ""}`,
    blocks: {
      weights: packTernaryRows(weights),
      inputs: stridedRows(
        inputs.map(({ values }) => values),
        inputStride,
      ),
      records: bytesOf(
        ...inputs.flatMap((input) => [Float32Array.of(input.scale), Int32Array.of(input.sum)]),
      ),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
      scratch: unset(ternaryScratchBytes),
    },
    aligned: ["weights", "inputs", "scratch"],
    scratch: ["scratch"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1), scratch: [[0, ternaryScratchBytes]] },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, part) => {
        const { rowBegin, rowEnd, tokenBegin: t, tokenEnd } = part;
        // prettier-ignore
        multiply(kernels)(
        at("weights"), cols, rowBegin, rowEnd, at("inputs") + t * inputStride, inputStride, at("records") + t * 8,
        tokenEnd - t, at("output") + t * outputStride, outputStride, at("scratch"), scale, accumulate,
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
          const value = ternaryOutput(weights, r + 1, input, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}
