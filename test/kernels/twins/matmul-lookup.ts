import type { Kernels } from "#dist/wasm/kernels.js";
import { lookupScratchBytes } from "#dist/wasm/kernels.js";
import { at, f32 } from "../../reference/float32.js";
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
const allLanes = [16, 32, 64] as const;
const tables = 32;
const entries = 81;

/** The four columns of a table, in a block of 128. With groups of 64, a table's columns are of one group. */
function columnsOf(table: number, halved: boolean): readonly number[] {
  if (!halved) return [table, 32 + table, 64 + table, 96 + table];
  const first = table < 16 ? table : 48 + table;
  return [first, 32 + first, 16 + first, 48 + first];
}

/** The weights of an entry. */
function weightsOf(entry: number): readonly number[] {
  return [27, 9, 3, 1].map((place) => (Math.floor(entry / place) % 3) - 1);
}

/** The entry of a row's weights in a table. */
function entryOf(row: Int8Array, table: number, halved: boolean): number {
  return columnsOf(table, halved).reduce((index, column) => index * 3 + at(row, column) + 1, 0);
}

/** @param halved for lookup_half_tables_i8. */
export function lookupTablesTwin(halved: boolean): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(77);
      for (const lanes of allLanes) {
        for (const tokens of [1, 5, lanes - 1, lanes])
          yield tablesCase(halved, { lanes, tokens, stride: 128 + 16 * (tokens % 3) }, numbers);
      }
    },
  };
}

function tablesCase(
  halved: boolean,
  { lanes, tokens, stride }: { readonly lanes: Lanes; readonly tokens: number; readonly stride: number },
  numbers: Numbers,
): KernelCase {
  const inputs = Array.from({ length: tokens }, (_, t) =>
    t === 0 ? new Int8Array(128).fill(-128) : numbers.bytes(128),
  );
  const bytes = tables * entries * lanes * 2;
  const scratchBytes = 256 * lanes;
  return {
    name: `${lanes} lanes · ${tokens}`,
    blocks: { inputs: stridedRows(inputs, stride), entries: unset(bytes), scratch: unset(scratchBytes) },
    aligned: ["inputs", "entries", "scratch"],
    scratch: ["scratch"],
    writes: { entries: [[0, bytes]], scratch: [[0, scratchBytes]] },
    ways: [
      (kernels, address) =>
        (halved ? kernels.lookup_half_tables_i8 : kernels.lookup_tables_i8)(
          address("inputs"),
          stride,
          tokens,
          lanes,
          address("entries"),
          address("scratch"),
        ),
    ],
    check(outcome): void {
      const actual = new Int16Array(outcome.bytes("entries").buffer);
      const expected = Int16Array.from(actual, (_, index) => {
        const [t, entry] = [index % lanes, Math.floor(index / lanes) % entries];
        const input = inputs[Math.min(t, tokens - 1)] ?? new Int8Array();
        const weights = weightsOf(entry);
        return columnsOf(Math.floor(index / lanes / entries), halved).reduce(
          (sum, column, k) => sum + at(weights, k) * at(input, column),
          0,
        );
      });
      requireSame(actual, expected, "entry");
    },
  };
}

/** Rows of a block, and tables for them: the operands of all kernels that add lookups. */
function lookupOperands(
  rows: number,
  lanes: Lanes,
  numbers: Numbers,
  extreme: boolean,
): {
  readonly weights: readonly Int8Array[];
  readonly rowBytes: number;
  readonly table: Int16Array;
  readonly blocks: { readonly weights: Uint8Array; readonly entries: Uint8Array };
} {
  const weights = Array.from({ length: rows }, () => numbers.ternary(128));
  const rowBytes = 32 + 16 * (rows % 3);
  const table = Int16Array.from({ length: tables * entries * lanes }, () =>
    extreme ? 512 : numbers.whole(-512, 512),
  );
  const entryBytes = new Uint8Array(table.buffer);
  return {
    weights,
    rowBytes,
    table,
    blocks: { weights: stridedRows(weights.map(packTernaryRows), rowBytes), entries: entryBytes },
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

export function addLookupsTwin(lanes: Lanes): KernelTwin {
  return {
    *cases(): Iterable<KernelCase> {
      const numbers = createNumbers(78);
      for (const rows of rowCounts)
        for (const accumulate of [false, true]) yield addCase(lanes, rows, accumulate, false, numbers);
      yield addCase(lanes, 3, true, true, numbers);
    },
  };
}

function addCase(
  lanes: Lanes,
  rows: number,
  accumulate: boolean,
  extreme: boolean,
  numbers: Numbers,
): KernelCase {
  const { weights, rowBytes, table, blocks } = lookupOperands(rows, lanes, numbers, extreme);
  const before = Int32Array.from({ length: rows * lanes }, () => numbers.whole(-1e6, 1e6));
  return {
    name: `${rows} rows${accumulate ? ", added" : ""}${extreme ? ", all 512" : ""}`,
    blocks: {
      ...blocks,
      totals: accumulate ? bytesOf(before) : unset(before.byteLength),
      scratch: unset(lookupScratchBytes),
    },
    aligned: ["weights", "entries", "totals", "scratch"],
    scratch: ["scratch"],
    writes: { totals: [[0, before.byteLength]], scratch: [[0, lookupScratchBytes]] },
    ways: rowWays(rows, (kernels, address, begin, end) =>
      kernels[`add_lookups_${lanes}`](
        address("weights") + begin * rowBytes,
        rowBytes,
        end - begin,
        address("entries"),
        address("totals") + begin * lanes * 4,
        accumulate ? 1 : 0,
        address("scratch"),
      ),
    ),
    check(outcome): void {
      const expected = before.map((total, index) => {
        const row = weights[Math.floor(index / lanes)] ?? new Int8Array();
        return (accumulate ? total : 0) + lookedUp(row, table, lanes, index % lanes, false, 0, tables);
      });
      requireSame(outcome.ints("totals"), expected, "total");
    },
  };
}

/** The sum of a row's entries in tables begin … end − 1, for one lane. */
function lookedUp(
  row: Int8Array,
  table: Int16Array,
  lanes: Lanes,
  lane: number,
  halved: boolean,
  begin: number,
  end: number,
): number {
  let sum = 0;
  for (let j = begin; j < end; j += 1)
    sum += at(table, (j * entries + entryOf(row, j, halved)) * lanes + lane);
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
  const { weights, rowBytes, table, blocks } = lookupOperands(rows, lanes, numbers, false);
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
          const sum = lookedUp(
            weights[r] ?? new Int8Array(),
            table,
            lanes,
            lane,
            groups === 2,
            group * count,
            (group + 1) * count,
          );
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
