import { type AffineKind, affineKinds, codeOffset } from "#dist/wasm/affine-kinds.js";
import { affineKernel, type DotForm } from "#dist/wasm/dot-forms.js";
import { affineScratchBytes } from "#dist/wasm/kernels.js";
import {
  affineOutput,
  type AffineRow,
  blockRecords,
  type BlockToken,
  packPanels,
  quantizeBlocks,
} from "../../reference/affine.js";
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
import { hardRows } from "./quantize-activations.js";
import { splitWays } from "./splits.js";

interface Matmul {
  readonly rows: number;
  readonly cols: number;
  readonly tokens: number;
  /** All codes and all activations the same, for the largest sums. */
  readonly extreme?: { readonly code: number; readonly activation: number };
}

export function affineTwin(form: DotForm, name: AffineKind["name"]): KernelTwin {
  const kind = kindOf(name);
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(777);
      for (const matmul of matmuls(kind)) yield matmulCase(form, kind, matmul, numbers);
    },
    onlyInRelaxed: form !== "i8",
  };
}

function kindOf(name: AffineKind["name"]): AffineKind {
  const kind = affineKinds.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

/** The least and the largest code of a kind. */
function codeRange(kind: AffineKind): readonly [number, number] {
  const least = -codeOffset(kind);
  return [least, least + 2 ** kind.bits - 1];
}

function* matmuls(kind: AffineKind): Iterable<Matmul> {
  // Rows around panels of 8, tokens around tiles of 4.
  for (const rows of [0, 1, 7, 8, 9, 21])
    for (const tokens of [0, 1, 3, 4, 9]) yield { rows, cols: 96, tokens };
  for (const cols of [0, 32, 576, 6912]) yield { rows: 10, cols, tokens: 5 };
  for (const code of codeRange(kind)) {
    for (const activation of [-127, 127])
      yield { rows: 8, cols: 128, tokens: 5, extreme: { code, activation } };
  }
}

function makeRow(kind: AffineKind, cols: number, numbers: Numbers, code: number | undefined): AffineRow {
  const [least, most] = codeRange(kind);
  const groups = cols / kind.group;
  return {
    codes: Int8Array.from({ length: cols }, () => code ?? numbers.whole(least, most)),
    scales: numbers.floats(groups),
    minima: kind.minima ? numbers.floats(groups) : undefined,
  };
}

function matmulCase(
  form: DotForm,
  kind: AffineKind,
  { rows, cols, tokens, extreme }: Matmul,
  numbers: Numbers,
): KernelCase {
  // Rows before and behind the range, which must be left alone.
  const begin = 3;
  const allRows = rows + begin + 2;
  const weights = Array.from({ length: allRows }, () => makeRow(kind, cols, numbers, extreme?.code));
  const inputs = Array.from({ length: tokens }, (): BlockToken => {
    const token = quantizeBlocks(numbers.floats(cols));
    if (extreme !== undefined) token.values.fill(extreme.activation);
    return token;
  });
  const scale = rows % 2 === 0 ? 1 : f32(0.0371);
  const accumulate = (rows + tokens) % 2;
  const outputStride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  return {
    name: `${rows} × ${cols} · ${tokens}${extreme ? `, all ${extreme.code} · ${extreme.activation}` : ""}`,
    blocks: {
      weights: packPanels(weights, kind.bits),
      inputs: bytesOf(...inputs.map(({ values }) => values)),
      records: bytesOf(...inputs.map(blockRecords)),
      output: accumulate ? stridedRows(before, outputStride) : unset(tokens * outputStride),
      scratch: unset(affineScratchBytes),
    },
    aligned: ["weights", "inputs", "records", "scratch"],
    scratch: ["scratch"],
    writes: {
      output: columnRanges(tokens, outputStride, begin, begin + rows),
      scratch: [[0, affineScratchBytes]],
    },
    ways: splitWays(
      { rowBegin: begin, rowEnd: begin + rows, tokenBegin: 0, tokenEnd: tokens },
      (kernels, at, { rowBegin, rowEnd, tokenBegin: t, tokenEnd }) => {
        // prettier-ignore
        affineKernel(kernels, form, kind.name)(
          at("weights"), cols, rowBegin, rowEnd, at("inputs") + t * cols, at("records") + t * cols, tokenEnd - t,
          at("output") + t * outputStride, outputStride, at("scratch"), scale, accumulate,
        );
      },
    ),
    check(outcome): void {
      inputs.forEach((input, t) => {
        const actual = outcome
          .floats("output")
          .subarray((t * outputStride) / 4 + begin, (t * outputStride) / 4 + begin + rows);
        const expected = Float32Array.from(actual, (_, r) => {
          const row = weights[r + begin];
          const value = row === undefined ? NaN : affineOutput(row, input, scale);
          return accumulate ? (before[t]?.[r + begin] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      });
    },
  };
}

export const rowAffineTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(778);
    for (const kind of affineKinds) {
      for (const [allRows, cols] of [
        [1, 32],
        [11, 96],
        [16, 576],
      ] as const) {
        const rows = Array.from({ length: allRows }, () => makeRow(kind, cols, numbers, undefined));
        for (const index of new Set([0, allRows >> 1, allRows - 1])) yield rowCase(kind, rows, index);
      }
    }
  },
};

function rowCase(kind: AffineKind, rows: readonly AffineRow[], index: number): KernelCase {
  const row = rows[index];
  if (row === undefined) throw new Error(`no row ${index}`);
  const cols = row.codes.length;
  return {
    name: `${kind.name}, row ${index} of ${rows.length} × ${cols}`,
    blocks: { weights: packPanels(rows, kind.bits), output: unset(cols * 4) },
    aligned: ["weights"],
    writes: { output: [[0, cols * 4]] },
    ways: [
      (kernels, at) => {
        const minima = kind.minima ? 1 : 0;
        kernels.row_affine(at("weights"), kind.bits, kind.group, minima, cols, index, at("output"));
      },
    ],
    check(outcome): void {
      const expected = Float32Array.from(row.codes, (code, k) => {
        const g = Math.floor(k / kind.group);
        return f32((row.scales[g] ?? NaN) * code) - (row.minima?.[g] ?? 0);
      });
      requireSame(outcome.floats("output"), expected, "column");
    },
  };
}

export const quantizeBlocksTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    for (const [name, row] of hardRows([0, 32, 96, 576, 6912])) yield quantizeCase(name, [row], row.length);
    const numbers = createNumbers(58);
    for (const tokens of [0, 2, 5]) {
      for (const cols of [32, 192]) {
        const rows = Array.from({ length: tokens }, () => numbers.floats(cols));
        yield quantizeCase(`${tokens} tokens of ${cols}`, rows, cols);
      }
    }
  },
};

function quantizeCase(name: string, rows: readonly Float32Array[], cols: number): KernelCase {
  const inputStride = cols * 4 + 32;
  const bytes = rows.length * cols;
  return {
    name,
    blocks: { inputs: stridedRows(rows, inputStride), output: unset(bytes), records: unset(bytes) },
    aligned: ["inputs", "output"],
    writes: { output: [[0, bytes]], records: [[0, bytes]] },
    ways: [
      (kernels, at) =>
        // prettier-ignore
        kernels.quantize_activations_blocks(
          at("inputs"), cols, rows.length, inputStride, at("output"), at("records"),
        ),
      (kernels, at) => {
        for (let t = rows.length - 1; t >= 0; t -= 1) {
          const [from, to] = [at("inputs") + t * inputStride, at("output") + t * cols];
          kernels.quantize_activations_blocks(from, cols, 1, 0, to, at("records") + t * cols);
        }
      },
    ],
    check(outcome): void {
      rows.forEach((row, t) => {
        const expected = quantizeBlocks(row);
        const values = new Int8Array(outcome.bytes("output").buffer, t * cols, cols);
        requireSame(values, expected.values, `token ${t}, column`);
        const records = outcome.bytes("records").subarray(t * cols, (t + 1) * cols);
        requireSame(records, blockRecords(expected), `token ${t}, byte of records`);
      });
    },
  };
}
