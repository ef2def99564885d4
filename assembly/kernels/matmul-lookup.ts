// Ternary rows × int8 activations of many tokens, by lookup tables instead of multiplications. The parts are
// in tiles/lookup, the unrolled ones in generated/lookup-tiles. The caller goes from block to block:
//
//   for each block of 128 columns:   lookup_tables_i8, then add_lookups_16, _32 or _64 for its rows
//   finish_lookups_i8
//
// Weights with a scale for each group of 128 columns have add_scaled_lookups_* and finish_scaled_lookups.
// These kernels are separate so that several matrices can share tables, and because V8's revectorizer gives
// up on long functions.

import { Address } from "../address";
import { rowSums16, rowSums32, rowSums64, tableEntries } from "../generated/lookup-tiles";
import {
  LOOKUP_COLS,
  OFFSET_ROWS,
  TABLES,
  TABLE_ENTRIES,
  entryOffsets,
  scaleSums,
  transposeColumns,
  widenSums,
} from "../tiles/lookup";
import { RECORD_BYTES } from "../tiles/ternary-rows";

/**
 * entry[j, c, t] = Σ_i (c_i − 1) · X[t, 32 · i + j]     for c = 27 · c₀ + 9 · c₁ + 3 · c₂ + c₃, j in [0, 32)
 *
 * Shapes    X [tokens, 128] every xStride bytes · entries [32, 81, lanes]. Lanes after the last token repeat
 *           it
 * Types     X i8 · entries i16
 * Requires  1 ≤ tokens ≤ lanes · lanes 16, 32 or 64 · X, entries 16-byte aligned · scratch 256 · lanes bytes
 *           of the caller's own · nothing overlaps
 * Range     any X
 * Exact     integers
 * Splits    into calls for other tokens, whose lanes then have entries of their own
 */
export function lookup_tables_i8(
  x: Address,
  xStride: usize,
  tokens: usize,
  lanes: usize,
  entries: Address,
  scratch: Address,
): void {
  makeTables(false, x, xStride, tokens, lanes, entries, scratch);
}

/**
 * Contract as lookup_tables_i8, but for groups of 64: table j < 16 is of the columns j, 32 + j, 16 + j and
 * 48 + j, and table 16 + j is of the columns 64 + j, 96 + j, 80 + j and 112 + j.
 */
export function lookup_half_tables_i8(
  x: Address,
  xStride: usize,
  tokens: usize,
  lanes: usize,
  entries: Address,
  scratch: Address,
): void {
  makeTables(true, x, xStride, tokens, lanes, entries, scratch);
}

/** Makes the tables of a block; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function makeTables(
  halved: bool,
  x: usize,
  xStride: usize,
  tokens: usize,
  lanes: usize,
  entries: usize,
  scratch: usize,
): void {
  const entryBytes = lanes << 1;
  transposeColumns(x, xStride, LOOKUP_COLS, tokens, lanes, scratch);
  for (let table: usize = 0; table < TABLES; ++table) {
    // The columns of the second group of 64 begin at 64, which is 16 + 48.
    const first = halved && table >= 16 ? table + 48 : table;
    const from = scratch + first * entryBytes;
    const to = entries + table * TABLE_ENTRIES * entryBytes;
    for (let at: usize = 0; at < entryBytes; at += 32) {
      const x0 = from + at;
      const x1 = x0 + 32 * entryBytes;
      if (halved) tableEntries(x0, x1, x0 + 16 * entryBytes, x0 + 48 * entryBytes, to + at, entryBytes);
      else tableEntries(x0, x1, x0 + 64 * entryBytes, x0 + 96 * entryBytes, to + at, entryBytes);
    }
  }
}

/** sums [lanes] i16 = the lookups of a row. */
// @ts-ignore: decorator
@inline
function rowSums(lanes: usize, offsets: usize, count: usize, entries: usize, sums: usize): void {
  if (lanes == 64) rowSums64(offsets, count, entries, sums);
  else if (lanes == 32) rowSums32(offsets, count, entries, sums);
  else rowSums16(offsets, count, entries, sums);
}

/** Adds the lookups of a block to the totals of rows; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function addLookups(
  lanes: usize,
  entryShift: i32,
  weights: usize,
  rowBytes: usize,
  rows: usize,
  entries: usize,
  totals: usize,
  accumulate: bool,
  scratch: usize,
): void {
  const sums = scratch + OFFSET_ROWS * 64;
  for (let row: usize = 0; row < rows; row += OFFSET_ROWS) {
    const count = min(OFFSET_ROWS, rows - row);
    entryOffsets(false, weights + row * rowBytes, rowBytes, count, entryShift, scratch);
    for (let r: usize = 0; r < count; ++r) {
      const offsets = scratch + (r << 6);
      rowSums(lanes, offsets, TABLES, entries, sums);
      widenSums(sums, lanes, totals, accumulate);
      totals += lanes << 2;
    }
  }
}

/**
 * totals[r, t] (+)= Σ_j entry[j, c(r, j), t]                        for r in [0, rows), the 32 bytes j
 *
 * The part of matmul_ternary_i8_dot_i8's sum Σₖ W[r, k] · X[t, k] in one block of 128 columns.
 *
 * Shapes    W [rows] blocks of 32 bytes every rowBytes bytes · entries [32, 81, 16] · totals [rows, 16]
 * Types     W ternary-rows · entries as lookup_tables_i8 leaves them · totals i32
 * Requires  W, entries, totals 16-byte aligned · scratch lookupScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing overlaps
 * Range     codes 0…2 · the sum of 32 entries is at most 128 · 128, so it fits i16
 * Exact     integers
 * Splits    by rows
 */
export function add_lookups_16(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(16, 5, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

/** Contract as add_lookups_16, but entries are [32, 81, 32] and totals [rows, 32]. */
export function add_lookups_32(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(32, 6, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

/** Contract as add_lookups_16, but entries are [32, 81, 64] and totals [rows, 64]. */
export function add_lookups_64(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(64, 7, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

/** Adds the scaled lookups of a block to the totals of rows; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
function addScaledLookups(
  halved: bool,
  lanes: usize,
  entryShift: i32,
  weights: usize,
  rowBytes: usize,
  rows: usize,
  entries: usize,
  scales: usize,
  scaleStride: usize,
  records: usize,
  recordStride: usize,
  tokens: usize,
  totals: usize,
  seriesBytes: usize,
  accumulate: bool,
  scratch: usize,
): void {
  const sums = scratch + OFFSET_ROWS * 64;
  const tokenScales = sums + (lanes << 1);
  const secondScales = tokenScales + (lanes << 2);
  for (let t: usize = 0; t < lanes; ++t) {
    const record = records + min(t, tokens - 1) * recordStride;
    store<f32>(tokenScales + (t << 2), load<f32>(record));
    if (halved) store<f32>(secondScales + (t << 2), load<f32>(record, 4));
  }
  const count = halved ? TABLES / 2 : TABLES;
  const second = entries + count * TABLE_ENTRIES * (lanes << 1);
  for (let row: usize = 0; row < rows; row += OFFSET_ROWS) {
    const some = min(OFFSET_ROWS, rows - row);
    entryOffsets(halved, weights + row * rowBytes, rowBytes, some, entryShift, scratch);
    for (let r: usize = 0; r < some; ++r) {
      const offsets = scratch + (r << 6);
      rowSums(lanes, offsets, count, entries, sums);
      scaleSums(sums, lanes, v128.load32_splat(scales), tokenScales, totals, accumulate);
      if (halved) {
        rowSums(lanes, offsets + 32, count, second, sums);
        scaleSums(sums, lanes, v128.load32_splat(scales, 4), secondScales, totals + seriesBytes, accumulate);
      }
      scales += scaleStride;
      totals += lanes << 2;
    }
  }
}

/**
 * totals[r, t] = (accumulate ? totals[r, t] : 0) + (c[r] · s[t]) · Σ_j entry[j, c(r, j), t]
 *                                                                  for r in [0, rows), the block's 32 bytes j
 *
 * The part of matmul_ternary_groups128_i8_*'s sum in one group of 128 columns.
 *
 * Shapes    W [rows] blocks of 32 bytes every rowBytes bytes · entries [32, 81, 16] · c [rows] every
 *           scaleStride bytes · s [tokens] every recordStride bytes from records · totals [rows, 16]
 * Types     W ternary-groups-128 · entries as lookup_tables_i8 leaves them · c, s, totals f32
 * Requires  1 ≤ tokens ≤ 16 · W, entries, totals 16-byte aligned · scratch lookupScratchBytes of the
 *           caller's own (src/wasm/kernels) · nothing overlaps
 * Range     codes 0…2 · the sum of 32 entries is at most 128 · 128, so it fits i16
 * Exact     f32 in the written order, one rounding for each operation
 * Splits    by rows
 */
export function add_scaled_lookups_16(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    false, 16, 5, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals, 0,
    accumulate, scratch,
  );
}

/**
 * Contract as add_scaled_lookups_16, but entries are [32, 81, 32], totals [rows, 32], and tokens up to 32.
 */
export function add_scaled_lookups_32(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    false, 32, 6, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals, 0,
    accumulate, scratch,
  );
}

/**
 * Contract as add_scaled_lookups_16, but entries are [32, 81, 64], totals [rows, 64], and tokens up to 64.
 */
export function add_scaled_lookups_64(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    false, 64, 7, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals, 0,
    accumulate, scratch,
  );
}

/**
 * Contract as add_scaled_lookups_16, but for groups of 64: entries are those of lookup_half_tables_i8, and
 * c[r] and s[t] are two scales. The second group's sums go to totals seriesBytes further. W is
 * ternary-groups-64.
 */
export function add_half_lookups_16(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  seriesBytes: usize,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    true, 16, 5, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals,
    seriesBytes, accumulate, scratch,
  );
}

/**
 * Contract as add_scaled_lookups_16, but for groups of 64 as add_half_lookups_16, entries are [32, 81, 32],
 * totals [rows, 32], and tokens up to 32.
 */
export function add_half_lookups_32(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  seriesBytes: usize,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    true, 32, 6, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals,
    seriesBytes, accumulate, scratch,
  );
}

/**
 * Contract as add_scaled_lookups_16, but for groups of 64 as add_half_lookups_16, entries are [32, 81, 64],
 * totals [rows, 64], and tokens up to 64.
 */
export function add_half_lookups_64(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  scales: Address,
  scaleStride: usize,
  records: Address,
  recordStride: usize,
  tokens: usize,
  totals: Address,
  seriesBytes: usize,
  accumulate: bool,
  scratch: Address,
): void {
  // prettier-ignore
  addScaledLookups(
    true, 64, 7, weights, rowBytes, rows, entries, scales, scaleStride, records, recordStride, tokens, totals,
    seriesBytes, accumulate, scratch,
  );
}

/** The outputs of four tokens for a row of totals: integers with the scales of the tokens. */
// @ts-ignore: decorator
@inline
function scaled(totals: usize, scales: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.div(f32x4.convert_i32x4_s(v128.load(totals)), scales), scale);
}

/** The same for four series of scaled totals. */
// @ts-ignore: decorator
@inline
function summed(totals: usize, seriesBytes: usize, scale: v128): v128 {
  const even = f32x4.add(v128.load(totals), v128.load(totals + 2 * seriesBytes));
  const odd = f32x4.add(v128.load(totals + seriesBytes), v128.load(totals + 3 * seriesBytes));
  return f32x4.mul(f32x4.add(even, odd), scale);
}

/** Stores four outputs, added to what is there if `accumulate`. */
// @ts-ignore: decorator
@inline
function put(y: usize, values: v128, accumulate: bool): void {
  v128.store(y, accumulate ? f32x4.add(v128.load(y), values) : values);
}

/** Stores one output likewise. */
// @ts-ignore: decorator
@inline
function putOne(y: usize, value: f32, accumulate: bool): void {
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** Stores four rows' outputs of up to four tokens, rows of y apart. */
// @ts-ignore: decorator
@inline
function putFour(
  y: usize,
  yStride: usize,
  left: usize,
  r0: v128,
  r1: v128,
  r2: v128,
  r3: v128,
  accumulate: bool,
): void {
  const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5),
    low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
  const high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7),
    high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  put(y, i64x2.shuffle(low01, low23, 0, 2), accumulate);
  if (left > 1) put(y + yStride, i64x2.shuffle(low01, low23, 1, 3), accumulate);
  if (left > 2) put(y + 2 * yStride, i64x2.shuffle(high01, high23, 0, 2), accumulate);
  if (left > 3) put(y + 3 * yStride, i64x2.shuffle(high01, high23, 1, 3), accumulate);
}

/** Stores one row's outputs of up to four tokens. */
// @ts-ignore: decorator
@inline
function putLanes(y: usize, yStride: usize, left: usize, values: v128, accumulate: bool): void {
  putOne(y, f32x4.extract_lane(values, 0), accumulate);
  if (left > 1) putOne(y + yStride, f32x4.extract_lane(values, 1), accumulate);
  if (left > 2) putOne(y + 2 * yStride, f32x4.extract_lane(values, 2), accumulate);
  if (left > 3) putOne(y + 3 * yStride, f32x4.extract_lane(values, 3), accumulate);
}

/**
 * y[t, r] (+)= totals[r, t] / s[t] · d                              for r in [0, rows), t in [0, tokens)
 *
 * Shapes    totals [rows, lanes] · records [tokens] · y [tokens, rows] every yStride bytes
 * Types     totals i32 · record {s: f32, ignored: i32} · y f32 · d = scale
 * Requires  1 ≤ tokens ≤ lanes · lanes % 4 == 0 · totals 16-byte aligned · nothing overlaps y
 * Range     any
 * Exact     three roundings, as in matmul_ternary_i8_dot_i8
 * Splits    by rows
 */
export function finish_lookups_i8(
  totals: Address,
  rows: usize,
  lanes: usize,
  tokens: usize,
  records: Address,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = lanes << 2;
  const d = f32x4.splat(scale);
  const whole = (rows & ~3) << 2;
  for (let t: usize = 0; t < tokens; t += 4) {
    const left = tokens - t;
    const record = records + t * RECORD_BYTES;
    const s = f32x4(
      load<f32>(record),
      load<f32>(record + min<usize>(1, left - 1) * RECORD_BYTES),
      load<f32>(record + min<usize>(2, left - 1) * RECORD_BYTES),
      load<f32>(record + min<usize>(3, left - 1) * RECORD_BYTES),
    );
    let from = totals + (t << 2);
    let to = y + t * yStride;
    for (const end = to + whole; to < end; to += 16) {
      const r0 = scaled(from, s, d),
        r1 = scaled(from + rowBytes, s, d),
        r2 = scaled(from + 2 * rowBytes, s, d),
        r3 = scaled(from + 3 * rowBytes, s, d);
      putFour(to, yStride, left, r0, r1, r2, r3, accumulate);
      from += 4 * rowBytes;
    }
    for (const end = y + t * yStride + (rows << 2); to < end; to += 4) {
      putLanes(to, yStride, left, scaled(from, s, d), accumulate);
      from += rowBytes;
    }
  }
}

/**
 * y[t, r] (+)= ((S₀ + S₂) + (S₁ + S₃))[r, t] · d                      for r in [0, rows), t in [0, tokens)
 *
 * Shapes    S four series of totals [rows, lanes], seriesBytes apart · y [tokens, rows] every yStride bytes
 * Types     S f32 · y f32 · d = scale
 * Requires  1 ≤ tokens ≤ lanes · lanes % 4 == 0 · S 16-byte aligned · nothing overlaps y
 * Range     any
 * Exact     f32 in the written order, as in matmul_ternary_groups128_i8_*
 * Splits    by rows
 */
export function finish_scaled_lookups(
  totals: Address,
  seriesBytes: usize,
  rows: usize,
  lanes: usize,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = lanes << 2;
  const d = f32x4.splat(scale);
  const whole = (rows & ~3) << 2;
  for (let t: usize = 0; t < tokens; t += 4) {
    const left = tokens - t;
    let from = totals + (t << 2);
    let to = y + t * yStride;
    for (const end = to + whole; to < end; to += 16) {
      const r0 = summed(from, seriesBytes, d),
        r1 = summed(from + rowBytes, seriesBytes, d),
        r2 = summed(from + 2 * rowBytes, seriesBytes, d),
        r3 = summed(from + 3 * rowBytes, seriesBytes, d);
      putFour(to, yStride, left, r0, r1, r2, r3, accumulate);
      from += 4 * rowBytes;
    }
    for (const end = y + t * yStride + (rows << 2); to < end; to += 4) {
      putLanes(to, yStride, left, summed(from, seriesBytes, d), accumulate);
      from += rowBytes;
    }
  }
}
