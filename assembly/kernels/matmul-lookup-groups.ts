// Ternary weights with a scale for each group of 128 or 64 columns × int8 activations in groups, by lookup
// tables. As matmul-lookup, but a group's sums are scaled before they are added up.

import { Address } from "../address";
import {
  OFFSET_ROWS,
  TABLES,
  TABLE_ENTRIES,
  entryOffsets,
  putFour,
  putLanes,
  scaleSums,
} from "../tiles/lookup";
import { rowSums } from "./matmul-lookup";

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
 * totals[g, r, t] = (accumulate ? totals[g, r, t] : 0) + (c[r, g] · s[t, g]) · Σ_j entry[j, c(r, j), t]
 *                                     for r in [0, rows), g in {0, 1}, the 16 tables j of group g
 *
 * The part of matmul_ternary_groups64_i8_*'s sum in two groups of 64 columns.
 *
 * Shapes    W [rows] blocks of 32 bytes every rowBytes bytes · entries [32, 81, 16] · c [rows, 2] every
 *           scaleStride bytes · s [tokens, 2] every recordStride bytes from records · totals [2] of [rows,
 *           16], seriesBytes apart
 * Types     W ternary-groups-64 · entries as lookup_half_tables_i8 leaves them · c, s, totals f32
 * Requires  1 ≤ tokens ≤ 16 · W, entries, totals 16-byte aligned · scratch lookupScratchBytes of the
 *           caller's own (src/wasm/kernels) · nothing overlaps
 * Range     codes 0…2 · the sum of 16 entries is at most 64 · 128, so it fits i16
 * Exact     f32 in the written order, one rounding for each operation
 * Splits    by rows
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

/** The outputs of four tokens for a row of four series of totals. */
// @ts-ignore: decorator
@inline
function summed(totals: usize, seriesBytes: usize, scale: v128): v128 {
  const even = f32x4.add(v128.load(totals), v128.load(totals + 2 * seriesBytes));
  const odd = f32x4.add(v128.load(totals + seriesBytes), v128.load(totals + 3 * seriesBytes));
  return f32x4.mul(f32x4.add(even, odd), scale);
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

// From here on made by scripts/tiles.mjs.

/**
 * Contract as add_scaled_lookups_16, but entries are [32, 81, 32], totals have 32 lanes, and tokens are up
 * to 32.
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
 * Contract as add_scaled_lookups_16, but entries are [32, 81, 64], totals have 64 lanes, and tokens are up
 * to 64.
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
 * Contract as add_half_lookups_16, but entries are [32, 81, 32], totals have 32 lanes, and tokens are up to
 * 32.
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
 * Contract as add_half_lookups_16, but entries are [32, 81, 64], totals have 64 lanes, and tokens are up to
 * 64.
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
