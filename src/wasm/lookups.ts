import { type GroupSize, type Kernels, lookupScratchBytes } from "./kernels.js";

/** Tokens that share a lookup: the lanes of an entry. */
export const lookupLanes = [64, 32, 16] as const;
type Lanes = (typeof lookupLanes)[number];

/** Bytes of the tables of a block of 128 columns. */
const tableBytes = (lanes: Lanes): number => 32 * 81 * lanes * 2;
/** Bytes of a row's totals. */
const totalBytes = (lanes: Lanes): number => lanes * 4;

/** Most rows whose totals lie in the workspace at once. With fewer rows, tables are made more often. */
const maxWorkspaceRows = 4096;

/** A worker's own memory for matmuls by lookup tables. */
export interface LookupWorkspace {
  readonly address: number;
  /** Rows of 64 totals that fit it. */
  readonly rows: number;
}

/**
 * Rows of a workspace for a worker's share of matrices.
 *
 * @param maxRows rows of the largest matrix.
 * @param series series of totals of the matrix with the most.
 */
export function lookupRows(maxRows: number, series: number, workers: number): number {
  return series * Math.min(maxWorkspaceRows, Math.ceil(maxRows / workers / 16) * 16 + 16);
}

/** Bytes of a workspace with totals for so many rows. */
export function lookupBytes(rows: number): number {
  return lookupScratchBytes + tableBytes(64) + rows * totalBytes(64);
}

/**
 * Fewest tokens that are worth the tables of 64, 32 and 16 lanes. Fewer are faster by tiles, or by the next
 * smaller tables. Measured by `node bench/ternary.mjs --kinds rows,lookup`.
 */
const worthwhile: Readonly<Record<"narrow" | "wide", Readonly<Record<Lanes, number>>>> = {
  narrow: { 64: 48, 32: 20, 16: 8 },
  wide: { 64: 48, 32: 24, 16: Infinity },
};

/** The lanes that are in use with 256 bits. */
export const wideLanes: readonly Lanes[] = lookupLanes.filter((lanes) => worthwhile.wide[lanes] < Infinity);

/** Passes of fewer tokens never use lookup tables. */
export const minLookupTokens: number = worthwhile.narrow[16];

/** Some tokens of a matmul, and the lanes of their tables. */
export interface LookupStep {
  readonly first: number;
  readonly tokens: number;
  readonly lanes: Lanes;
}

/**
 * The steps of a matmul of `tokens` tokens by lookup tables. The tokens after them are faster by tiles.
 *
 * @param width "wide" if tiles are of 256 bits.
 */
export function lookupSteps(tokens: number, width: "narrow" | "wide"): readonly LookupStep[] {
  const steps: LookupStep[] = [];
  for (let first = 0; first < tokens;) {
    const left = tokens - first;
    const lanes = lookupLanes.find((count) => left >= worthwhile[width][count]);
    if (lanes === undefined) break;
    steps.push({ first, tokens: Math.min(left, lanes), lanes });
    first += lanes;
  }
  return steps;
}

/** f32 scales for each row and group of `size` columns, rows `rowBytes` apart. */
export interface LookupGroups {
  readonly size: GroupSize;
  readonly address: number;
  readonly rowBytes: number;
}

/** A matmul of ternary codes in rows of blocks of 128. */
export interface LookupMatmul {
  /** Address of the codes. */
  readonly weights: number;
  /** Columns in whole blocks of 128. */
  readonly cols: number;
  /** Rows of the matrix: columns of the output. */
  readonly begin: number;
  readonly end: number;
  /** Address of int8 [tokens, cols]. */
  readonly values: number;
  /**
   * Address of a record per token, `recordBytes` apart. It begins with the f32 scale, or with those of
   * groups.
   */
  readonly records: number;
  readonly recordBytes: number;
  /** Undefined for one scale per matrix. */
  readonly groups: LookupGroups | undefined;
  /** Address of the output f32 [tokens, …], rows `stride` bytes apart. */
  readonly address: number;
  readonly stride: number;
  readonly scale: number;
  readonly accumulate: boolean;
}

/** Series of totals of a matmul in groups: a group adds to the series of its index modulo four. */
const groupSeries = 4;

/** Does a step of a matmul, with the bits of matmul_ternary_i8_* or matmul_ternary_groups128_i8_*. */
export function runLookupStep(
  kernels: Kernels,
  matmul: LookupMatmul,
  step: LookupStep,
  workspace: LookupWorkspace,
): void {
  const { begin, end, groups } = matmul;
  const fitting = Math.floor(workspace.rows / (groups === undefined ? 1 : groupSeries));
  const parts = Math.ceil((end - begin) / fitting);
  const partRows = Math.ceil((end - begin) / parts);
  for (let row = begin; row < end; row += partRows) {
    const part = { ...matmul, begin: row, end: Math.min(row + partRows, end) };
    if (groups === undefined) multiplyRows(kernels, part, step, workspace.address);
    else multiplyGroups(kernels, { ...part, groups }, step, workspace.address);
  }
}

/** Addresses in a workspace: scratch, tables and totals. */
function partsOf(workspace: number): { readonly tables: number; readonly totals: number } {
  const tables = workspace + lookupScratchBytes;
  return { tables, totals: tables + tableBytes(64) };
}

function multiplyRows(kernels: Kernels, matmul: LookupMatmul, step: LookupStep, scratch: number): void {
  const { weights, cols, begin, end, values, records, address, stride, scale } = matmul;
  const { first, tokens, lanes } = step;
  const { tables, totals } = partsOf(scratch);
  const [rows, rowBytes] = [end - begin, cols / 4];
  const { add } = addKernels(kernels, lanes);
  for (let col = 0; col < cols; col += 128) {
    kernels.lookup_tables_i8(values + first * cols + col, cols, tokens, lanes, tables, scratch);
    add(weights + begin * rowBytes + col / 4, rowBytes, rows, tables, totals, col > 0 ? 1 : 0, scratch);
  }
  const [record, y] = [records + first * 8, address + first * stride + begin * 4];
  const accumulate = matmul.accumulate ? 1 : 0;
  kernels.finish_lookups_i8(totals, rows, lanes, tokens, record, y, stride, scale, accumulate);
}

function multiplyGroups(
  kernels: Kernels,
  matmul: LookupMatmul & { readonly groups: LookupGroups },
  step: LookupStep,
  scratch: number,
): void {
  const { weights, cols, begin, end, values, recordBytes, groups, address, stride, scale } = matmul;
  const { first, tokens, lanes } = step;
  const { tables, totals } = partsOf(scratch);
  const [rows, rowBytes] = [end - begin, cols / 4];
  const seriesBytes = rows * totalBytes(lanes);
  const { scaled, halves } = addKernels(kernels, lanes);
  const records = matmul.records + first * recordBytes;
  const blocks = cols / 128;
  const groupsPerBlock = 128 / groups.size;
  for (let block = 0; block < blocks; block += 1) {
    const group = block * groupsPerBlock;
    const x = values + first * cols + block * 128;
    const codes = weights + begin * rowBytes + block * 32;
    const scales = groups.address + begin * groups.rowBytes + group * 4;
    const record = records + group * 4;
    const to = totals + (group % groupSeries) * seriesBytes;
    const accumulate = group < groupSeries ? 0 : 1;
    // prettier-ignore
    if (groups.size === 64) {
      kernels.lookup_half_tables_i8(x, cols, tokens, lanes, tables, scratch);
      halves(
        codes, rowBytes, rows, tables, scales, groups.rowBytes, record, recordBytes, tokens, to, seriesBytes,
        accumulate, scratch,
      );
    } else {
      kernels.lookup_tables_i8(x, cols, tokens, lanes, tables, scratch);
      scaled(
        codes, rowBytes, rows, tables, scales, groups.rowBytes, record, recordBytes, tokens, to, accumulate, scratch,
      );
    }
  }
  const y = address + first * stride + begin * 4;
  const accumulate = matmul.accumulate ? 1 : 0;
  // prettier-ignore
  kernels.finish_scaled_lookups(totals, seriesBytes, rows, lanes, tokens, y, stride, scale, accumulate);
}

/** Kernels that add the lookups of a block. */
interface AddKernels {
  readonly add: Kernels["add_lookups_64"];
  readonly scaled: Kernels["add_scaled_lookups_64"];
  readonly halves: Kernels["add_half_lookups_64"];
}

function addKernels(kernels: Kernels, lanes: Lanes): AddKernels {
  switch (lanes) {
    case 64:
      return {
        add: kernels.add_lookups_64,
        scaled: kernels.add_scaled_lookups_64,
        halves: kernels.add_half_lookups_64,
      };
    case 32:
      return {
        add: kernels.add_lookups_32,
        scaled: kernels.add_scaled_lookups_32,
        halves: kernels.add_half_lookups_32,
      };
    case 16:
      return {
        add: kernels.add_lookups_16,
        scaled: kernels.add_scaled_lookups_16,
        halves: kernels.add_half_lookups_16,
      };
  }
}
