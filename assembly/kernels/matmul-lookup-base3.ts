// Base-3 rows × int8 activations of many tokens by lookup tables: as matmul-lookup, with five columns a
// lookup.

import { Address } from "../address";
import { base3TableEntries } from "../generated/base3-lookup-tiles";
import { BASE3_BLOCK_COLS } from "../simd/base3";
import { BASE3_ENTRIES, TABLES, transposeColumns } from "../tiles/lookup";
import { addLookups } from "./matmul-lookup";

/**
 * entry[j, c, t] = Σ_i (c_i − 1) · X[t, 32 · i + j]
 *                            for c = 81 · c₀ + 27 · c₁ + 9 · c₂ + 3 · c₃ + c₄, j in [0, 32), with X = 0 after
 *                            cols
 *
 * Shapes    X [tokens, cols] every xStride bytes · entries [32, 243, lanes]. Lanes after the last token
 *           repeat it
 * Types     X i8 · entries i16
 * Requires  1 ≤ tokens ≤ lanes · lanes 16 or 32 · cols % 16 == 0, at most 160 · X, entries 16-byte aligned ·
 *           scratch 320 · lanes bytes of the caller's own · nothing overlaps
 * Range     any X
 * Exact     integers
 * Splits    into calls for other tokens, whose lanes then have entries of their own
 */
export function lookup_base3_tables_i8(
  x: Address,
  xStride: usize,
  cols: usize,
  tokens: usize,
  lanes: usize,
  entries: Address,
  scratch: Address,
): void {
  const entryBytes = lanes << 1;
  const planeBytes = TABLES * entryBytes;
  transposeColumns(x, xStride, cols, tokens, lanes, scratch);
  memory.fill(scratch + cols * entryBytes, 0, (BASE3_BLOCK_COLS - cols) * entryBytes);
  for (let table: usize = 0; table < TABLES; ++table) {
    const from = scratch + table * entryBytes;
    const to = entries + table * BASE3_ENTRIES * entryBytes;
    for (let at: usize = 0; at < entryBytes; at += 32)
      base3TableEntries(from + at, planeBytes, to + at, entryBytes);
  }
}

/**
 * totals[r, t] (+)= Σ_j entry[j, c(r, j), t]                              for r in [0, rows), the 32 bytes j
 *
 * The part of matmul_base3_i8_dot_i8's sum Σₖ W[r, k] · X[t, k] in one block of 160 columns.
 *
 * Shapes    W [rows] blocks of 32 bytes every rowBytes bytes · entries [32, 243, 16] · totals [rows, 16]
 * Types     W base3-rows · entries as lookup_base3_tables_i8 leaves them · totals i32
 * Requires  W, entries, totals 16-byte aligned · scratch lookupScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing overlaps
 * Range     the sum of 32 entries is at most 160 · 128, so it fits i16
 * Exact     integers
 * Splits    by rows
 */
export function add_base3_lookups_16(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(true, 16, 5, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as add_base3_lookups_16, but entries are [32, 243, 32], totals have 32 lanes, and tokens are up
 * to 32.
 */
export function add_base3_lookups_32(
  weights: Address,
  rowBytes: usize,
  rows: usize,
  entries: Address,
  totals: Address,
  accumulate: bool,
  scratch: Address,
): void {
  addLookups(true, 32, 6, weights, rowBytes, rows, entries, totals, accumulate, scratch);
}
