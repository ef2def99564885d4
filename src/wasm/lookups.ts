import { type GroupSize, type Kernels, lookupScratchBytes } from "./kernels.js";

/** Tokens that share a lookup: the lanes of an entry. */
export const lookupLanes = [64, 32, 16] as const;
type Lanes = (typeof lookupLanes)[number];

/** Codes of two bits in blocks of 128, or bytes in base 3 in blocks of 160. */
export type LookupCodes = "ternary" | "base3";

/** Bytes of the largest tables of a block: 32 of 243 entries of 32 lanes, or of 81 entries of 64 lanes. */
const maxTableBytes = Math.max(32 * 243 * 32 * 2, 32 * 81 * 64 * 2);
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
  return lookupScratchBytes + maxTableBytes + rows * totalBytes(64);
}

/** The tiles beside lookup tables: of 128 bits, of 256 bits, or the ones made for 256 bits alone. */
export type LookupRival = "narrow" | "wide" | "wideTiles";

/**
 * Fewest tokens that are worth the tables of 64, 32 and 16 lanes. Fewer are faster by tiles, or by the next
 * smaller tables. Measured by `node bench/ternary.mjs --kinds rows,lookup`.
 */
const worthwhile = {
  ternary: {
    narrow: { 64: 48, 32: 20, 16: 8 },
    wide: { 64: 48, 32: 24, 16: Infinity },
    wideTiles: { 64: 52, 32: 29, 16: Infinity },
  },
  // Tables of 64 lanes would not fit the second-level cache.
  base3: {
    narrow: { 64: Infinity, 32: 20, 16: 8 },
    wide: { 64: Infinity, 32: 20, 16: Infinity },
    wideTiles: { 64: Infinity, 32: 20, 16: Infinity },
  },
} as const satisfies Record<LookupCodes, Record<LookupRival, Record<Lanes, number>>>;

/** The lanes that are in use with 256 bits. */
export const wideLanes: readonly Lanes[] = lookupLanes.filter(
  (lanes) => worthwhile.ternary.wide[lanes] < Infinity,
);

/** Passes of fewer tokens never use lookup tables. */
export const minLookupTokens: number = worthwhile.ternary.narrow[16];

/** Some tokens of a matmul, and the lanes of their tables. */
export interface LookupStep {
  readonly first: number;
  readonly tokens: number;
  readonly lanes: Lanes;
}

/**
 * The steps of a matmul of `tokens` tokens by lookup tables. The tokens after them are faster by tiles.
 *
 * @param codes Default: "ternary".
 */
export function lookupSteps(
  tokens: number,
  rival: LookupRival,
  codes: LookupCodes = "ternary",
): readonly LookupStep[] {
  const steps: LookupStep[] = [];
  for (let first = 0; first < tokens;) {
    const left = tokens - first;
    const lanes = lookupLanes.find((count) => left >= worthwhile[codes][rival][count]);
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

/** A matmul of ternary weights. */
export interface LookupMatmul {
  readonly codes: LookupCodes;
  /** Address of the codes. */
  readonly weights: number;
  /** Bytes of a row's codes: 32 for each block of 128 columns, or of 160 in base 3. */
  readonly rowBytes: number;
  /** Columns of the input in whole blocks of 128. */
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

/** Does a step of a matmul, with the bits of its tiles. Base 3 has no groups and no 64 lanes. */
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
  return { tables, totals: tables + maxTableBytes };
}

function multiplyRows(kernels: Kernels, matmul: LookupMatmul, step: LookupStep, scratch: number): void {
  const { codes, weights, rowBytes, cols, begin, end, values, records, address, stride, scale } = matmul;
  const { first, tokens, lanes } = step;
  const { tables, totals } = partsOf(scratch);
  const rows = end - begin;
  const blockCols = codes === "base3" ? 160 : 128;
  const add = codes === "base3" ? base3AddKernel(kernels, lanes) : addKernels(kernels, lanes).add;
  for (let block = 0; block * 32 < rowBytes; block += 1) {
    const col = block * blockCols;
    const x = values + first * cols + col;
    if (codes === "base3") {
      const known = Math.min(blockCols, cols - col);
      kernels.lookup_base3_tables_i8(x, cols, known, tokens, lanes, tables, scratch);
    } else kernels.lookup_tables_i8(x, cols, tokens, lanes, tables, scratch);
    add(weights + begin * rowBytes + block * 32, rowBytes, rows, tables, totals, block > 0 ? 1 : 0, scratch);
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
  const { weights, rowBytes, cols, begin, end, values, recordBytes, groups, address, stride, scale } = matmul;
  const { first, tokens, lanes } = step;
  const { tables, totals } = partsOf(scratch);
  const rows = end - begin;
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

function base3AddKernel(kernels: Kernels, lanes: Lanes): Kernels["add_base3_lookups_32"] {
  return lanes === 32 ? kernels.add_base3_lookups_32 : kernels.add_base3_lookups_16;
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
