import { type DotForm, ternaryGroupsKernel } from "#dist/wasm/dot-forms.js";
import { groupScratchBytes, type GroupSize } from "#dist/wasm/kernels.js";
import { f32 } from "../../reference/float32.js";
import {
  groupedOutput,
  groupsOf,
  packGroupedCodes,
  packGroupNumbers,
  type GroupedToken,
  quantizeGroups,
  wholeBlocks,
} from "../../reference/ternary-groups.js";
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
import { hardRows } from "./quantize-activations.js";
import { splitWays } from "./splits.js";

interface Matmul {
  readonly rows: number;
  readonly cols: number;
  readonly tokens: number;
  /** All weights equal and all activations equal, for the largest sums. */
  readonly extreme?: { readonly weight: number; readonly activation: number };
}

const groupSizes = [64, 128] as const;

export function ternaryGroupsTwin(form: DotForm, groupSize: GroupSize): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(4321);
      for (const matmul of matmuls(groupSize)) yield matmulCase(form, groupSize, matmul, numbers);
    },
    onlyInRelaxed: form !== "i8",
  };
}

function* matmuls(groupSize: number): Iterable<Matmul> {
  // Row counts around the tiles of 3 × 2, 3 × 1 and 1 × 1.
  for (const cols of [128, 640])
    for (const rows of [0, 1, 2, 3, 4, 6, 13])
      for (const tokens of [0, 1, 2, 5]) yield { rows, cols, tokens };
  // Rows that do not fill whole blocks, and groups that do not fill whole vectors.
  for (const cols of [0, 32, 64, 96, 192, 320, 448]) yield { rows: 4, cols, tokens: 3 };
  // The kernel scales 32 groups at a time.
  for (const chunk of [31, 32, 33, 65]) yield { rows: 5, cols: chunk * groupSize, tokens: 3 };
  for (const cols of [2560, 6912]) yield { rows: 7, cols, tokens: 3 };
  for (const weight of [-1, 2]) {
    for (const activation of [-128, 127])
      yield { rows: 4, cols: 4352, tokens: 3, extreme: { weight, activation } };
  }
}

function matmulCase(
  form: DotForm,
  groupSize: GroupSize,
  { rows, cols, tokens, extreme }: Matmul,
  numbers: Numbers,
): KernelCase {
  // One row before and one behind the range. They must not change.
  const allRows = rows + 2;
  const groups = groupsOf(cols, groupSize);
  const weights = Array.from({ length: allRows }, () => ({
    weights: extreme
      ? new Int8Array(cols).fill(extreme.weight)
      : Int8Array.from({ length: cols }, () => numbers.whole(-1, 2)),
    scales: numbers.floats(groups),
  }));
  const inputs = Array.from({ length: tokens }, (): GroupedToken => {
    const token = quantizeGroups(numbers.floats(cols), groupSize);
    if (extreme === undefined) return token;
    token.values.fill(extreme.activation, 0, cols);
    return { ...token, sums: token.sums.map(() => extreme.activation * groupSize) };
  });
  const scale = rows % 2 === 0 ? 1 : f32(0.0371);
  const accumulate = (rows + tokens) % 2;
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const inputStride = wholeBlocks(cols);
  const recordBytes = Math.ceil(groups / 4) * 32;
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: `${rows} × ${cols} / ${groupSize} · ${tokens}${extreme ? `, all ${extreme.weight} · ${extreme.activation}` : ""}`,
    blocks: {
      weights: bytesOf(...weights.map((row) => packGroupedCodes(row.weights))),
      scales: bytesOf(...weights.map((row) => packGroupNumbers(row.scales))),
      inputs: bytesOf(...inputs.map(({ values }) => values)),
      records: bytesOf(
        ...inputs.flatMap((token) => [packGroupNumbers(token.scales), packGroupNumbers(token.sums)]),
      ),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
      scratch: unset(groupScratchBytes),
    },
    aligned: ["weights", "scales", "inputs", "records", "scratch"],
    scratch: ["scratch"],
    writes: { output: columnRanges(tokens, outputStride, 1, rows + 1), scratch: [[0, groupScratchBytes]] },
    ways: splitWays(
      { rowBegin: 1, rowEnd: rows + 1, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, part) => {
        const { rowBegin, rowEnd, tokenBegin: t, tokenEnd } = part;
        // prettier-ignore
        ternaryGroupsKernel(kernels, form, groupSize)(
          at("weights"), at("scales"), cols, rowBegin, rowEnd, at("inputs") + t * inputStride,
          at("records") + t * recordBytes, tokenEnd - t, at("output") + t * outputStride, outputStride, at("scratch"), scale,
          accumulate,
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
          const value = row === undefined ? NaN : groupedOutput(row, input, groupSize, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}

export const quantizeGroupsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const groupSize of [32, ...groupSizes]) {
      for (const [name, row] of hardRows([0, 16, 32, 80, 128, 2560, 6912]))
        yield quantizeCase(name, [row], row.length, groupSize);
      const numbers = createNumbers(57);
      for (const tokens of [0, 2, 5]) {
        for (const cols of [16, 112, 192]) {
          const rows = Array.from({ length: tokens }, () => numbers.floats(cols));
          yield quantizeCase(`${tokens} tokens of ${cols}`, rows, cols, groupSize);
        }
      }
    }
  },
};

function quantizeCase(
  name: string,
  rows: readonly Float32Array[],
  cols: number,
  groupSize: number,
): KernelCase {
  const inputStride = cols * 4 + 32;
  const outputStride = wholeBlocks(cols);
  const valueBytes = Math.ceil(groupsOf(cols, groupSize) / 4) * 16;
  return {
    name: `${name}, groups of ${groupSize}`,
    blocks: {
      inputs: stridedRows(rows, inputStride),
      output: unset(rows.length * outputStride),
      records: unset(rows.length * valueBytes * 2),
    },
    aligned: ["inputs", "output"],
    writes: {
      output: [[0, rows.length * outputStride]],
      records: [[0, rows.length * valueBytes * 2]],
    },
    ways: [
      (kernels, at) =>
        // prettier-ignore
        kernels.quantize_activations_groups(
          at("inputs"), cols, groupSize, rows.length, inputStride, at("output"), at("records"),
        ),
      (kernels, at) => {
        for (let t = rows.length - 1; t >= 0; t -= 1) {
          const [from, to] = [at("inputs") + t * inputStride, at("output") + t * outputStride];
          const records = at("records") + t * valueBytes * 2;
          kernels.quantize_activations_groups(from, cols, groupSize, 1, 0, to, records);
        }
      },
    ],
    check(outcome): void {
      rows.forEach((row, t) => {
        const expected = quantizeGroups(row, groupSize);
        const values = new Int8Array(outcome.bytes("output").buffer, t * outputStride, outputStride);
        requireSame(values, expected.values, `token ${t}, column`);
        const begin = (t * valueBytes) / 2;
        const count = valueBytes / 4;
        requireSame(
          outcome.floats("records").subarray(begin, begin + count),
          packGroupNumbers(expected.scales),
          `token ${t}, scale of group`,
        );
        requireSame(
          outcome.ints("records").subarray(begin + count, begin + 2 * count),
          packGroupNumbers(expected.sums),
          `token ${t}, sum of group`,
        );
      });
    },
  };
}
