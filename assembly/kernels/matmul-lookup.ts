// Ternary rows × int8 activations of many tokens, by lookup tables instead of multiplications. The parts are
// in tiles/lookup, the unrolled ones in generated/lookup-tiles. The caller goes from block to block:
//
//   for each block of 128 columns:   lookup_tables_i8, then add_lookups_16, _32 or _64 for its rows
//   finish_lookups_i8
//
// Weights with a scale for each group have kernels of their own (matmul-lookup-groups), and so has base 3
// (matmul-lookup-base3). V8's revectorizer gives up on long functions, so these are separate.

import { Address } from "../address";
import { base3RowSums16, base3RowSums32 } from "../generated/base3-lookup-tiles";
import { rowSums16, rowSums32, rowSums64, tableEntries } from "../generated/lookup-tiles";
import {
  LOOKUP_COLS,
  OFFSET_ROWS,
  TABLES,
  TABLE_ENTRIES,
  base3Offsets,
  entryOffsets,
  putFour,
  putLanes,
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
export function rowSums(lanes: usize, offsets: usize, count: usize, entries: usize, sums: usize): void {
  if (lanes == 64) rowSums64(offsets, count, entries, sums);
  else if (lanes == 32) rowSums32(offsets, count, entries, sums);
  else rowSums16(offsets, count, entries, sums);
}

/** Adds the lookups of a block to the totals of rows; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
export function addLookups(
  base3: bool,
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
    const w = weights + row * rowBytes;
    if (base3) base3Offsets(w, rowBytes, count, entryShift, scratch);
    else entryOffsets(false, w, rowBytes, count, entryShift, scratch);
    for (let r: usize = 0; r < count; ++r) {
      const offsets = scratch + (r << 6);
      if (!base3) rowSums(lanes, offsets, TABLES, entries, sums);
      else if (lanes == 32) base3RowSums32(offsets, TABLES, entries, sums);
      else base3RowSums16(offsets, TABLES, entries, sums);
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
  addLookups(false, 16, 5, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

/** The outputs of four tokens for a row of totals: integers with the scales of the tokens. */
// @ts-ignore: decorator
@inline
function scaled(totals: usize, scales: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.div(f32x4.convert_i32x4_s(v128.load(totals)), scales), scale);
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

// From here on made by scripts/tiles.mjs.

/**
 * Contract as add_lookups_16, but entries are [32, 81, 32], totals have 32 lanes, and tokens are up to
 * 32.
 */
export function add_lookups_32(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(false, 32, 6, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

/**
 * Contract as add_lookups_16, but entries are [32, 81, 64], totals have 64 lanes, and tokens are up to
 * 64.
 */
export function add_lookups_64(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(false, 64, 7, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}
