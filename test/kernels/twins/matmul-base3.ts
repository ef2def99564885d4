import { base3GroupsKernel, base3Kernel, type DotForm, listedBase3Kernel } from "#dist/wasm/dot-forms.js";
import { groupScratchBytes, ternaryScratchBytes } from "#dist/wasm/kernels.js";
import { float16ToNumber } from "#dist/weight-formats/float16.js";
import { packBase3Row } from "../../reference/base3.js";
import { at as valueAt, f32 } from "../../reference/float32.js";
import { ternaryOutput } from "../../reference/ternary.js";
import { groupedOutput, packGroupNumbers, quantizeGroups } from "../../reference/ternary-groups.js";
import {
  bytesOf,
  type ByteRange,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  stridedRows,
  unset,
  type Way,
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

/** Bytes that a kernel may read after its operand. They hold junk. */
const slack = { rows: 159, groups: 639, weights: 96 };

const nameOf = ({ rows, cols, tokens, extreme }: Matmul): string =>
  `${rows} × ${cols} · ${tokens}${extreme ? `, all ${extreme.weight} · ${extreme.activation}` : ""}`;

function weightRows(count: number, { cols, extreme }: Matmul, numbers: Numbers): Int8Array[] {
  return Array.from({ length: count }, () =>
    extreme ? new Int8Array(cols).fill(extreme.weight) : numbers.ternary(cols),
  );
}

function withSlack(bytes: Uint8Array, count: number, numbers: Numbers): Uint8Array {
  return bytesOf(bytes, numbers.noise(count));
}

function recordOf(values: Int8Array, scale: number): Uint8Array {
  const sum = values.reduce((total, value) => total + value, 0);
  return bytesOf(Float32Array.of(scale), Int32Array.of(sum));
}

export function base3Twin(form: DotForm): KernelTwin {
  return {
    onlyInRelaxed: form !== "i8",
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(333);
      for (const matmul of rowMatmuls()) yield rowsCase(form, matmul, numbers);
    },
  };
}

function* rowMatmuls(): Iterable<Matmul> {
  // 1920 columns are twelve blocks, after which 16-bit sums are flushed. Row counts are around the tiles of 4
  // × 1 and 2 × 4, and prime.
  for (const cols of [128, 1920, 2048]) {
    for (const rows of [0, 1, 2, 3, 4, 5, 8, 13])
      for (const tokens of [0, 1, 3, 4, 5, 9]) yield { rows, cols, tokens };
  }
  for (const cols of [0, 96, 160, 256, 320, 384]) yield { rows: 13, cols, tokens: 5 };
  for (const cols of [2560, 6912]) for (const tokens of [1, 6]) yield { rows: 17, cols, tokens };
  for (const weight of [-1, 1]) {
    for (const activation of [-128, 127])
      yield { rows: 5, cols: 6912, tokens: 5, extreme: { weight, activation } };
  }
}

function rowsCase(form: DotForm, matmul: Matmul, numbers: Numbers): KernelCase {
  const { rows, cols, tokens, extreme } = matmul;
  // One row before and one behind the range. They must not change.
  const allRows = rows + 2;
  const weights = weightRows(allRows, matmul, numbers);
  const inputs = Array.from({ length: tokens }, () => ({
    values: extreme ? new Int8Array(cols).fill(extreme.activation) : numbers.bytes(cols),
    scale: f32(numbers.whole(1, 4000) / 7),
  }));
  const scale = f32(0.0371);
  const accumulate = (rows + tokens) % 2;
  const inputStride = cols + 16 * (rows % 3);
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  const values = stridedRows(
    inputs.map((input) => input.values),
    inputStride,
  );
  return {
    name: nameOf(matmul),
    blocks: {
      weights: bytesOf(...weights.map(packBase3Row)),
      inputs: withSlack(values, slack.rows, numbers),
      records: bytesOf(...inputs.map((input) => recordOf(input.values, input.scale))),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
      scratch: unset(ternaryScratchBytes),
    },
    aligned: ["weights", "scratch"],
    scratch: ["scratch"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1), scratch: [[0, ternaryScratchBytes]] },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, { rowBegin, rowEnd, tokenBegin: t, tokenEnd }) => {
        // prettier-ignore
        base3Kernel(kernels, form)(
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
          const value = ternaryOutput(weights[r + 1] ?? new Int8Array(), 0, input, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}

export function listedBase3Twin(form: DotForm): KernelTwin {
  return {
    onlyInRelaxed: form !== "i8",
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(334);
      const all = Array.from({ length: 37 }, (_, row) => row);
      for (const cols of [128, 2048, 6912]) {
        for (const share of [0, 1, 5, 10])
          yield listedCase(
            form,
            cols,
            all.filter(() => numbers.whole(0, 9) < share),
            numbers,
          );
      }
    },
  };
}

function listedCase(form: DotForm, cols: number, list: readonly number[], numbers: Numbers): KernelCase {
  const rows = 37;
  const weights = weightRows(rows, { rows, cols, tokens: 1 }, numbers);
  const token = { values: numbers.bytes(cols), scale: f32(numbers.whole(1, 4000) / 7) };
  const scale = f32(0.0371);
  return {
    name: `${list.length} of ${rows} × ${cols}`,
    blocks: {
      weights: bytesOf(...weights.map(packBase3Row)),
      values: withSlack(bytesOf(token.values), slack.rows, numbers),
      list: bytesOf(Int32Array.from(list)),
      record: recordOf(token.values, token.scale),
      output: unset(rows * 4),
      scratch: unset(ternaryScratchBytes),
    },
    aligned: ["weights", "scratch"],
    scratch: ["scratch"],
    writes: {
      output: list.map((row): ByteRange => [row * 4, row * 4 + 4]),
      scratch: [[0, ternaryScratchBytes]],
    },
    ways: [0, 3].map((cut): Way => (kernels, at) => {
      const first = Math.min(cut, list.length);
      for (const [from, count] of [
        [first, list.length - first],
        [0, first],
      ] as const) {
        // prettier-ignore
        listedBase3Kernel(kernels, form)(
          at("weights"), cols, at("list") + from * 4, count, at("values"), at("record"), at("output"), at("scratch"), scale,
        );
      }
    }) as readonly Way[] as KernelCase["ways"],
    check(outcome): void {
      const actual = outcome.floats("output");
      requireSame(
        list.map((row) => valueAt(actual, row)),
        list.map((row) => ternaryOutput(weights[row] ?? new Int8Array(), 0, token, scale)),
        "listed row",
      );
    },
  };
}

export function base3GroupsTwin(form: DotForm): KernelTwin {
  return {
    onlyInRelaxed: form !== "i8",
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(335);
      for (const matmul of groupMatmuls()) yield groupsCase(form, matmul, numbers);
    },
  };
}

function* groupMatmuls(): Iterable<Matmul> {
  // Row counts around the tiles of 2 × 2, 2 × 1 and 1 × 1. The kernel scales 20 groups = 2560 columns at a
  // time, and walks 640 columns at a time.
  for (const cols of [256, 1280])
    for (const rows of [0, 1, 2, 3, 4, 13]) for (const tokens of [0, 1, 2, 5]) yield { rows, cols, tokens };
  for (const cols of [0, 512, 768, 1024, 2304, 2560, 2816, 5376, 6912]) yield { rows: 5, cols, tokens: 3 };
  for (const weight of [-1, 1]) {
    for (const activation of [-128, 127])
      yield { rows: 4, cols: 4352, tokens: 3, extreme: { weight, activation } };
  }
}

function groupsCase(form: DotForm, matmul: Matmul, numbers: Numbers): KernelCase {
  const { rows, cols, tokens, extreme } = matmul;
  const allRows = rows + 2;
  const weights = weightRows(allRows, matmul, numbers);
  // Every kind of half: usual, subnormal, negative, zero.
  const halves = Array.from({ length: allRows }, () =>
    Uint16Array.from(
      { length: cols / 256 },
      () =>
        [numbers.whole(0x1c00, 0x3c00), numbers.whole(0x9c00, 0xbc00), numbers.whole(1, 0x3ff), 0][
          numbers.whole(0, 3)
        ] ?? 0,
    ),
  );
  const inputs = Array.from({ length: tokens }, () => {
    const token = quantizeGroups(numbers.floats(cols), 128);
    if (extreme === undefined) return token;
    token.values.fill(extreme.activation);
    return { ...token, sums: token.sums.map(() => extreme.activation * 128) };
  });
  const scale = rows % 2 === 0 ? 1 : f32(0.0371);
  const accumulate = (rows + tokens) % 2;
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const recordBytes = Math.ceil(cols / 512) * 32;
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: nameOf(matmul),
    blocks: {
      weights: withSlack(bytesOf(...weights.map(packBase3Row)), slack.weights, numbers),
      scales: bytesOf(...halves),
      inputs: withSlack(bytesOf(...inputs.map(({ values }) => values)), slack.groups, numbers),
      records: bytesOf(
        ...inputs.flatMap((token) => [packGroupNumbers(token.scales), packGroupNumbers(token.sums)]),
      ),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
      scratch: unset(groupScratchBytes),
    },
    aligned: ["weights", "records", "scratch"],
    scratch: ["scratch"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1), scratch: [[0, groupScratchBytes]] },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, { rowBegin, rowEnd, tokenBegin: t, tokenEnd }) => {
        // prettier-ignore
        base3GroupsKernel(kernels, form)(
          at("weights"), at("scales"), cols, rowBegin, rowEnd, at("inputs") + t * cols, at("records") + t * recordBytes,
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
          const scales = Float32Array.from({ length: cols / 128 }, (_, g) =>
            float16ToNumber(halves[r + 1]?.[Math.floor(g / 2)] ?? NaN),
          );
          const row = { weights: weights[r + 1] ?? new Int8Array(), scales };
          const value = groupedOutput(row, input, 128, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}
