import type { Kernels } from "#dist/wasm/kernels.js";
import { lookupScratchBytes } from "#dist/wasm/kernels.js";
import { at, f32 } from "../../reference/float32.js";
import { packBase3Row } from "../../reference/base3.js";
import { packTernaryRows } from "../../reference/ternary.js";
import {
  bytesOf,
  columnRanges,
  type KernelCase,
  type KernelTwin,
  requireSame,
  stridedRows,
  unset,
  type Way,
} from "../kernel-case.js";
import { createNumbers, type Numbers } from "../numbers.js";

type Lanes = 16 | 32 | 64;
const tables = 32;

/** The columns of the tables of a block. */
export interface TableKind {
  readonly lanes: readonly Lanes[];
  /** Columns of a block. */
  readonly cols: number;
  /** Number of values of a byte. */
  readonly entries: number;
  columnsOf(table: number): readonly number[];
}

/** Four columns a table, of two-bit codes. */
export const wholeTables: TableKind = {
  lanes: [16, 32, 64],
  cols: 128,
  entries: 81,
  columnsOf: (table) => [0, 32, 64, 96].map((plane) => plane + table),
};

/** The same for groups of 64: the columns of a table are of one group. */
export const halfTables: TableKind = {
  ...wholeTables,
  columnsOf(table) {
    const first = table < 16 ? table : 48 + table;
    return [first, 32 + first, 16 + first, 48 + first];
  },
};

/** Five columns a table, in base 3. */
export const base3Tables: TableKind = {
  lanes: [16, 32],
  cols: 160,
  entries: 243,
  columnsOf: (table) => [0, 32, 64, 96, 128].map((plane) => plane + table),
};

/** The weights of an entry, of the first column first. */
function weightsOf({ entries }: TableKind, entry: number): readonly number[] {
  const weights: number[] = [];
  for (let place = entries / 3; place >= 1; place /= 3) weights.push((Math.floor(entry / place) % 3) - 1);
  return weights;
}

/** The entry of a row's weights in a table. */
function entryOf(kind: TableKind, row: Int8Array, table: number): number {
  return kind.columnsOf(table).reduce((index, column) => index * 3 + at(row, column) + 1, 0);
}

export function lookupTablesTwin(kind: TableKind): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(77);
      for (const lanes of kind.lanes) {
        for (const tokens of [1, 5, lanes - 1, lanes]) {
          for (const cols of kind === base3Tables ? [160, 96] : [128])
            yield tablesCase(kind, { lanes, tokens, cols, stride: cols + 16 * (tokens % 3) }, numbers);
        }
      }
    },
  };
}

function tablesCase(
  kind: TableKind,
  {
    lanes,
    tokens,
    cols,
    stride,
  }: { readonly lanes: Lanes; readonly tokens: number; readonly cols: number; readonly stride: number },
  numbers: Numbers,
): KernelCase {
  const { entries } = kind;
  const inputs = Array.from({ length: tokens }, (_, t) =>
    t === 0 ? new Int8Array(cols).fill(-128) : numbers.bytes(cols),
  );
  const bytes = tables * entries * lanes * 2;
  const scratchBytes = 2 * kind.cols * lanes;
  return {
    name: `${lanes} lanes · ${tokens} · ${cols} columns`,
    blocks: { inputs: stridedRows(inputs, stride), entries: unset(bytes), scratch: unset(scratchBytes) },
    aligned: ["inputs", "entries", "scratch"],
    scratch: ["scratch"],
    writes: { entries: [[0, bytes]], scratch: [[0, scratchBytes]] },
    ways: [
      (kernels, address) => {
        const last = [tokens, lanes, address("entries"), address("scratch")] as const;
        if (kind === base3Tables) kernels.lookup_base3_tables_i8(address("inputs"), stride, cols, ...last);
        else if (kind === halfTables) kernels.lookup_half_tables_i8(address("inputs"), stride, ...last);
        else kernels.lookup_tables_i8(address("inputs"), stride, ...last);
      },
    ],
    check(outcome): void {
      const actual = new Int16Array(outcome.bytes("entries").buffer);
      const expected = Int16Array.from(actual, (_, index) => {
        const [t, entry] = [index % lanes, Math.floor(index / lanes) % entries];
        const input = inputs[Math.min(t, tokens - 1)] ?? new Int8Array();
        const weights = weightsOf(kind, entry);
        // Columns after the last one count as zeros.
        return kind
          .columnsOf(Math.floor(index / lanes / entries))
          .reduce((sum, column, k) => sum + at(weights, k) * (input[column] ?? 0), 0);
      });
      requireSame(actual, expected, "entry");
    },
  };
}

/** Rows of a block, and tables for them: the operands of all kernels that add lookups. */
function lookupOperands(
  kind: TableKind,
  rows: number,
  lanes: Lanes,
  numbers: Numbers,
  extreme = false,
): {
  readonly weights: readonly Int8Array[];
  readonly rowBytes: number;
  readonly table: Int16Array;
  readonly blocks: { readonly weights: Uint8Array; readonly entries: Uint8Array };
} {
  const { cols, entries } = kind;
  const weights = Array.from({ length: rows }, () => numbers.ternary(cols));
  const rowBytes = 32 + 16 * (rows % 3);
  const largest = kind === base3Tables ? 640 : 512;
  const table = Int16Array.from({ length: tables * entries * lanes }, () =>
    extreme ? largest : numbers.whole(-largest, largest),
  );
  const pack = kind === base3Tables ? packBase3Row : packTernaryRows;
  return {
    weights,
    rowBytes,
    table,
    blocks: { weights: stridedRows(weights.map(pack), rowBytes), entries: new Uint8Array(table.buffer) },
  };
}

const rowCounts = [0, 1, 7, 8, 9, 21];

/** Ways to split rows: all, one by one from the last, and in two. */
function rowWays(
  rows: number,
  call: (kernels: Kernels, address: (block: string) => number, begin: number, end: number) => void,
): readonly [Way, ...Way[]] {
  const half = Math.floor(rows / 2);
  return [
    (kernels, address) => call(kernels, address, 0, rows),
    (kernels, address) => {
      for (let row = rows - 1; row >= 0; row -= 1) call(kernels, address, row, row + 1);
    },
    (kernels, address) => {
      call(kernels, address, half, rows);
      call(kernels, address, 0, half);
    },
  ];
}

export function addLookupsTwin(lanes: Lanes, kind: TableKind): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(78);
      for (const rows of rowCounts)
        for (const accumulate of [false, true])
          yield addCase(kind, { lanes, rows, accumulate, extreme: false }, numbers);
      yield addCase(kind, { lanes, rows: 3, accumulate: true, extreme: true }, numbers);
    },
  };
}

function addCase(
  kind: TableKind,
  {
    lanes,
    rows,
    accumulate,
    extreme,
  }: {
    readonly lanes: Lanes;
    readonly rows: number;
    readonly accumulate: boolean;
    readonly extreme: boolean;
  },
  numbers: Numbers,
): KernelCase {
  const { weights, rowBytes, table, blocks } = lookupOperands(kind, rows, lanes, numbers, extreme);
  const before = Int32Array.from({ length: rows * lanes }, () => numbers.whole(-1e6, 1e6));
  return {
    name: `${rows} rows${accumulate ? ", added" : ""}${extreme ? ", the largest sums" : ""}`,
    blocks: {
      ...blocks,
      totals: accumulate ? bytesOf(before) : unset(before.byteLength),
      scratch: unset(lookupScratchBytes),
    },
    aligned: ["weights", "entries", "totals", "scratch"],
    scratch: ["scratch"],
    writes: { totals: [[0, before.byteLength]], scratch: [[0, lookupScratchBytes]] },
    ways: rowWays(rows, (kernels, address, begin, end) => {
      const add =
        kind === base3Tables
          ? kernels[`add_base3_lookups_${lanes === 16 ? 16 : 32}`]
          : kernels[`add_lookups_${lanes}`];
      add(
        address("weights") + begin * rowBytes,
        rowBytes,
        end - begin,
        address("entries"),
        address("totals") + begin * lanes * 4,
        accumulate ? 1 : 0,
        address("scratch"),
      );
    }),
    check(outcome): void {
      const expected = before.map((total, index) => {
        const row = weights[Math.floor(index / lanes)] ?? new Int8Array();
        return (
          (accumulate ? total : 0) + lookedUp(kind, row, { table, lanes, lane: index % lanes }, [0, tables])
        );
      });
      requireSame(outcome.ints("totals"), expected, "total");
    },
  };
}

/** The sum of a row's entries in tables begin … end − 1, for one lane. */
function lookedUp(
  kind: TableKind,
  row: Int8Array,
  { table, lanes, lane }: { readonly table: Int16Array; readonly lanes: Lanes; readonly lane: number },
  [begin, end]: readonly [number, number],
): number {
  let sum = 0;
  for (let j = begin; j < end; j += 1)
    sum += at(table, (j * kind.entries + entryOf(kind, row, j)) * lanes + lane);
  return sum;
}

/** @param groups scales of a row in a block: 1, or 2 for groups of 64. */
export function addScaledLookupsTwin(lanes: Lanes, groups: 1 | 2): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(79);
      for (const rows of rowCounts) {
        for (const [accumulate, tokens] of [
          [false, lanes],
          [true, lanes - 3],
          [true, 1],
        ] as const)
          yield scaledCase({ lanes, groups, rows, tokens, accumulate }, numbers);
      }
    },
  };
}

function scaledCase(
  {
    lanes,
    groups,
    rows,
    tokens,
    accumulate,
  }: {
    readonly lanes: Lanes;
    readonly groups: 1 | 2;
    readonly rows: number;
    readonly tokens: number;
    readonly accumulate: boolean;
  },
  numbers: Numbers,
): KernelCase {
  const kind = groups === 2 ? halfTables : wholeTables;
  const { weights, rowBytes, table, blocks } = lookupOperands(kind, rows, lanes, numbers);
  const rowScales = Array.from({ length: rows }, () => numbers.floats(groups));
  const tokenScales = Array.from({ length: tokens }, () => numbers.floats(groups));
  const [scaleStride, recordStride] = [4 * groups + 4 * (rows % 2), 4 * groups + 4 * (tokens % 3)];
  const before = Array.from({ length: groups }, () => numbers.floats(rows * lanes));
  // The second group's totals begin after those of the first, and after a gap.
  const seriesBytes = rows * lanes * 4 + 32;
  const totalBytes = (groups - 1) * seriesBytes + rows * lanes * 4;
  return {
    name: `${rows} rows · ${tokens}${accumulate ? ", added" : ""}`,
    blocks: {
      ...blocks,
      scales: stridedRows(rowScales, scaleStride),
      records: stridedRows(tokenScales, recordStride),
      totals: accumulate ? stridedRows(before, seriesBytes) : unset(totalBytes),
      scratch: unset(lookupScratchBytes),
    },
    aligned: ["weights", "entries", "totals", "scratch"],
    scratch: ["scratch"],
    writes: {
      totals: before.map((_, group) => [group * seriesBytes, group * seriesBytes + rows * lanes * 4]),
      scratch: [[0, lookupScratchBytes]],
    },
    ways: rowWays(rows, (kernels, address, begin, end) => {
      const operands = [
        address("weights") + begin * rowBytes,
        rowBytes,
        end - begin,
        address("entries"),
        address("scales") + begin * scaleStride,
        scaleStride,
        address("records"),
        recordStride,
        tokens,
        address("totals") + begin * lanes * 4,
      ] as const;
      const last = [accumulate ? 1 : 0, address("scratch")] as const;
      if (groups === 1) kernels[`add_scaled_lookups_${lanes}`](...operands, ...last);
      else kernels[`add_half_lookups_${lanes}`](...operands, seriesBytes, ...last);
    }),
    check(outcome): void {
      for (let group = 0; group < groups; group += 1) {
        const from = (group * seriesBytes) / 4;
        const actual = outcome.floats("totals").subarray(from, from + rows * lanes);
        const count = tables / groups;
        const expected = actual.map((_, index) => {
          const [r, lane] = [Math.floor(index / lanes), index % lanes];
          const sum = lookedUp(kind, weights[r] ?? new Int8Array(), { table, lanes, lane }, [
            group * count,
            (group + 1) * count,
          ]);
          const s = tokenScales[Math.min(lane, tokens - 1)]?.[group] ?? NaN;
          const scaled = f32(f32((rowScales[r]?.[group] ?? NaN) * s) * sum);
          return f32((accumulate ? (before[group]?.[index] ?? NaN) : 0) + scaled);
        });
        requireSame(actual, expected, `group ${group}, total`);
      }
    },
  };
}

/** The shapes of the kernels that finish: leftovers of rows and of tokens. */
function* finishShapes(): Iterable<{
  readonly lanes: Lanes;
  readonly rows: number;
  readonly tokens: number;
}> {
  for (const rows of [0, 1, 3, 4, 9])
    for (const tokens of [1, 2, 3, 4, 7, 16]) yield { lanes: 16, rows, tokens };
  yield { lanes: 64, rows: 5, tokens: 62 };
}

/** A case of one of the two kernels that finish. */
function finishCase(
  shape: { readonly lanes: Lanes; readonly rows: number; readonly tokens: number },
  numbers: Numbers,
  parts: {
    readonly blocks: Readonly<Record<string, Uint8Array>>;
    readonly call: (
      kernels: Kernels,
      address: (block: string) => number,
      begin: number,
      end: number,
      output: readonly [y: number, stride: number, scale: number, accumulate: number],
    ) => void;
    readonly value: (row: number, token: number, scale: number) => number;
  },
): KernelCase {
  const { lanes, rows, tokens } = shape;
  const accumulate = (rows + tokens) % 2;
  const allRows = rows + 2;
  const stride = allRows * 4 + 4 * (tokens % 3);
  const before = Array.from({ length: tokens }, () => numbers.floats(allRows));
  const scale = f32(0.0371);
  return {
    name: `${rows} rows · ${tokens} of ${lanes}`,
    blocks: {
      ...parts.blocks,
      output: accumulate ? stridedRows(before, stride) : unset(tokens * stride),
    },
    aligned: ["totals"],
    writes: { output: columnRanges(tokens, stride, 1, rows + 1) },
    ways: rowWays(rows, (kernels, address, begin, end) =>
      parts.call(kernels, address, begin, end, [
        address("output") + 4 * (1 + begin),
        stride,
        scale,
        accumulate,
      ]),
    ),
    check(outcome): void {
      for (let t = 0; t < tokens; t += 1) {
        const actual = outcome
          .floats("output")
          .subarray((t * stride) / 4 + 1)
          .subarray(0, rows);
        const expected = actual.map((_, r) => {
          const value = parts.value(r, t, scale);
          return accumulate ? (before[t]?.[r + 1] ?? NaN) + value : value;
        });
        requireSame(actual, expected, `token ${t}, row`);
      }
    },
  };
}

export const finishLookupsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(80);
    for (const shape of finishShapes()) {
      const { lanes, rows, tokens } = shape;
      const totals = Int32Array.from({ length: rows * lanes }, () => numbers.whole(-2e9, 2e9));
      const scales = Array.from({ length: tokens }, () => f32(numbers.whole(1, 4000) / 7));
      yield finishCase(shape, numbers, {
        blocks: {
          totals: bytesOf(totals),
          records: bytesOf(...scales.flatMap((s) => [Float32Array.of(s), Int32Array.of(99)])),
        },
        call: (kernels, address, begin, end, output) =>
          kernels.finish_lookups_i8(
            address("totals") + begin * lanes * 4,
            end - begin,
            lanes,
            tokens,
            address("records"),
            ...output,
          ),
        value: (r, t, scale) => f32(f32(f32(at(totals, r * lanes + t)) / at(scales, t)) * scale),
      });
    }
  },
};

export const finishScaledLookupsTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    const numbers = createNumbers(81);
    for (const shape of finishShapes()) {
      const { lanes, rows, tokens } = shape;
      const series = Array.from({ length: 4 }, () => numbers.floats(rows * lanes));
      const seriesBytes = rows * lanes * 4 + 64;
      const [a, b, c, d] = series;
      yield finishCase(shape, numbers, {
        blocks: { totals: stridedRows(series, seriesBytes) },
        call: (kernels, address, begin, end, output) =>
          kernels.finish_scaled_lookups(
            address("totals") + begin * lanes * 4,
            seriesBytes,
            end - begin,
            lanes,
            tokens,
            ...output,
          ),
        value: (r, t, scale) => {
          const of = (values: Float32Array | undefined): number => at(values ?? [], r * lanes + t);
          return f32(f32(f32(of(a) + of(c)) + f32(of(b) + of(d))) * scale);
        },
      });
    }
  },
};
