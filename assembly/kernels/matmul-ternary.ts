// Ternary rows × int8 activations: how ranges and lists of rows are cut into tiles.
//
//   for each chunk of rows:      weights are read from memory once for all tokens
//     for each tile of tokens:   prefill: codes are unpacked once for several tokens
//       for each tile of rows    their activations stay in the first-level cache
//   for each token left over:    decode: an activation vector is loaded once for several rows
//     for each tile of rows
//
// Rows of a tile are streams: they lie a part of the range apart (docs/KERNELS.md). The layout and its sums
// are in tiles/ternary-rows, the tiles in generated/ternary-tiles, their sizes in scripts/tiles.mjs.

import { Address } from "../address";
import {
  DECODE_ROWS,
  PREFILL_ROWS,
  PREFILL_TOKENS,
  WIDE_ROWS,
  WIDE_SUMS_BYTES,
  decodeRow,
  decodeStreams,
  listedTile,
  prefillRow,
  prefillTile,
  wideTile3,
  wideTile4,
} from "../generated/ternary-tiles";
import { BLOCK_BYTES, BLOCK_COLS } from "../simd/dot";
import { wholeTiles } from "../tiles/whole-tiles";
import { RECORD_BYTES, finishDots } from "../tiles/ternary-rows";
import { touch } from "../tiles/touch";

/** Bytes of weights that meet a tile's tokens, then the next ones: they stay in the second-level cache. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 131072;

/**
 * With more bytes of activations, tiles of 256 bits take pieces of the columns: activations must stay in a
 * first-level cache of 48 KiB, and codes pass through it.
 */
// @ts-ignore: decorator
@inline
const WHOLE_BYTES: usize = 24576;
/** Most blocks of such a piece: 16 KiB of activations. */
// @ts-ignore: decorator
@inline
const PIECE_BLOCKS: usize = 32;

/** All of [rowBegin, rowEnd) × tokens in form F; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
export function matmul<F>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  let token: usize = 0;
  const rows = rowEnd - rowBegin;
  const first = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);

  const grouped = wholeTiles(tokens, PREFILL_TOKENS);
  if (grouped > 0) {
    const streamRows = rows / PREFILL_ROWS;
    const chunkRows = max<usize>(1, CHUNK_BYTES / max<usize>(1, PREFILL_ROWS * rowBytes));
    for (let chunk: usize = 0; chunk < streamRows; chunk += chunkRows) {
      const chunkEnd = min(streamRows, chunk + chunkRows);
      // prettier-ignore
      for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
        for (let row = chunk; row < chunkEnd; ++row) {
          prefillTile<F>(
            first + row * rowBytes, streamRows * rowBytes, blocks, activations + t * activationStride, activationStride,
            records + t * RECORD_BYTES, out + (row << 2) + t * yStride, streamRows, yStride, scratch, scale, accumulate,
          );
        }
      }
    }
    if (PREFILL_ROWS == 2) {
      // Pairs leave one row at most, which needs no loop.
      // prettier-ignore
      if (rows & 1) {
        for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
          prefillRow<F>(
            first + (rows - 1) * rowBytes, blocks, activations + t * activationStride, activationStride,
            records + t * RECORD_BYTES, out + ((rows - 1) << 2) + t * yStride, yStride, scratch, scale, accumulate,
          );
        }
      }
    } else {
      // prettier-ignore
      for (let row = streamRows * PREFILL_ROWS; row < rows; ++row) {
        for (let t: usize = 0; t < grouped; t += PREFILL_TOKENS) {
          prefillRow<F>(
            first + row * rowBytes, blocks, activations + t * activationStride, activationStride,
            records + t * RECORD_BYTES, out + (row << 2) + t * yStride, yStride, scratch, scale, accumulate,
          );
        }
      }
    }
    token = grouped;
  }
  // prettier-ignore
  eachToken<F>(
    first, rows, blocks, activations, activationStride, records, token, tokens, out, yStride, scratch, scale, accumulate,
  );
}

/** Tokens [token, tokens) one by one, for `rows` rows from `first`. */
// @ts-ignore: decorator
@inline
function eachToken<F>(
  first: usize,
  rows: usize,
  blocks: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  token: usize,
  tokens: usize,
  out: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = blocks * BLOCK_BYTES;
  const streamRows = rows / DECODE_ROWS;
  for (; token < tokens; ++token) {
    const x = activations + token * activationStride;
    const record = records + token * RECORD_BYTES;
    const to = out + token * yStride;
    for (let row: usize = 0; row < streamRows; ++row) {
      // prettier-ignore
      decodeStreams<F>(
        first + row * rowBytes, streamRows, rowBytes, blocks, x, record, to + (row << 2), scratch, scale, accumulate,
      );
    }
    for (let row = streamRows * DECODE_ROWS; row < rows; ++row) {
      decodeRow<F>(first + row * rowBytes, blocks, x, record, to + (row << 2), scratch, scale, accumulate);
    }
  }
}

/**
 * As `matmul`, for registers of 256 bits: one row × four tokens, whose sums fit them. Three left tokens have
 * a tile, too. One or two are left for `eachToken`.
 *
 *   for each chunk of rows, each four tokens, each piece of the columns, each row:   totals += sums of a tile
 *   for each row of the chunk:                                                       y = …  of its totals
 */
// @ts-ignore: decorator
@inline
function matmulWide<F>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  const rows = rowEnd - rowBegin;
  const first = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);
  const left = tokens & 3;
  const tiled = left == 3 ? tokens : tokens - left;
  const pieces = min<usize>(tiled, 4) * cols > WHOLE_BYTES ? (blocks + PIECE_BLOCKS - 1) / PIECE_BLOCKS : 1;
  const chunkRows = min(WIDE_ROWS, max<usize>(1, CHUNK_BYTES / max<usize>(1, rowBytes)));
  const totals = scratch + WIDE_SUMS_BYTES;
  if (tiled > 0) {
    for (let chunk: usize = 0; chunk < rows; chunk += chunkRows) {
      const end = min(rows, chunk + chunkRows);
      for (let t: usize = 0; t < tiled; t += 4) {
        const x = activations + t * activationStride;
        const record = records + t * RECORD_BYTES;
        const to = out + t * yStride;
        const isFour = t + 4 <= tiled;
        for (let piece: usize = 0; piece < pieces; ++piece) {
          const begin = (blocks * piece) / pieces;
          const count = (blocks * (piece + 1)) / pieces - begin;
          const w = first + begin * BLOCK_BYTES;
          const xPiece = x + begin * BLOCK_COLS;
          const touches = pieces > 1 && piece == 0 && t == 0;
          for (let row = chunk; row < end; ++row) {
            if (touches && row + chunkRows < rows)
              touch(first + (row + chunkRows) * rowBytes, rowBytes, scratch);
            const total = totals + ((row - chunk) << 4);
            if (isFour)
              wideTile4<F>(w + row * rowBytes, count, xPiece, activationStride, total, scratch, piece > 0);
            else wideTile3<F>(w + row * rowBytes, count, xPiece, activationStride, total, scratch, piece > 0);
          }
        }
        for (let row = chunk; row < end; ++row) {
          const dots = v128.load(totals + ((row - chunk) << 4));
          if (isFour) finishDots(to + (row << 2), yStride, dots, record, 4, scale, accumulate);
          else finishDots(to + (row << 2), yStride, dots, record, 3, scale, accumulate);
        }
      }
    }
  }
  // prettier-ignore
  eachToken<F>(
    first, rows, blocks, activations, activationStride, records, tiled, tokens, out, yStride, scratch, scale, accumulate,
  );
}

/**
 * As matmul_ternary_i8_dot_i8, but in form i32 of the dot product (simd/dot), with tiles for registers of 256
 * bits. Traps in the simd128 build.
 *
 * Shapes    W [rows, cols] · X [tokens, cols] every activationStride bytes · y [tokens, rows] every yStride
 *           bytes
 * Types     W ternary-rows · X i8 · records {s: f32, Σₖ X[t, k]: i32} per token · y f32 · d = scale
 * Requires  cols % 128 == 0 · W, X 16-byte aligned · scratch ternaryScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     codes 0…2 · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are three
 *           roundings
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_ternary_wide_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmulWide<i32>(
    weights, cols, rowBegin, rowEnd, activations, activationStride, records, tokens, y, yStride, scratch, scale,
    accumulate,
  );
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) / s[t] · d              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · X [tokens, cols] every activationStride bytes · y [tokens, rows] every yStride
 *           bytes
 * Types     W ternary-rows · X i8 · records {s: f32, Σₖ X[t, k]: i32} per token · y f32 · d = scale
 * Requires  cols % 128 == 0 · W, X 16-byte aligned · scratch ternaryScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     codes 0…2 · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are three
 *           roundings
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_ternary_i8_dot_i8(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  matmul<i8>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/** One token and the rows of a list: a tile takes its four rows from four parts of the list. */
// @ts-ignore: decorator
@inline
export function matmulListed<F>(
  weights: usize,
  cols: usize,
  list: usize,
  count: usize,
  x: usize,
  record: usize,
  y: usize,
  scratch: usize,
  scale: f32,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  const quarterBytes = (count >> 2) << 2;
  let at = list;
  for (const end = list + quarterBytes; at < end; at += 4) {
    const r0: usize = load<u32>(at);
    const r1: usize = load<u32>(at + quarterBytes);
    const r2: usize = load<u32>(at + 2 * quarterBytes);
    const r3: usize = load<u32>(at + 3 * quarterBytes);
    // prettier-ignore
    listedTile<F>(
      weights + r0 * rowBytes, weights + r1 * rowBytes, weights + r2 * rowBytes, weights + r3 * rowBytes, blocks, x, record,
      y + (r0 << 2), y + (r1 << 2), y + (r2 << 2), y + (r3 << 2), scratch, scale, false,
    );
  }
  at = list + (quarterBytes << 2);
  for (const end = list + (count << 2); at < end; at += 4) {
    const row: usize = load<u32>(at);
    decodeRow<F>(weights + row * rowBytes, blocks, x, record, y + (row << 2), scratch, scale, false);
  }
}

/**
 * y[r] = (Σₖ W[r, k] · x[k]) / s · d                          for the rows r of a list
 *
 * The bytes of matmul_ternary_i8_*, for one token and without the other rows.
 *
 * Shapes    W [rows, cols] · list [count] · x [cols] · y [rows]
 * Types     W ternary-rows · list u32, no row twice · x i8 · record {s: f32, Σₖ x[k]: i32} · y f32 · d =
 *           scale
 * Requires  cols % 128 == 0 · W, x 16-byte aligned · scratch ternaryScratchBytes of the caller's own
 *           (src/wasm/kernels) · nothing else overlaps y
 * Range     codes 0…2 · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are two
 *           roundings
 * Splits    by parts of the list
 */
export function matmul_ternary_listed_i8_dot_i8(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  matmulListed<i8>(weights, cols, list, count, x, record, y, scratch, scale);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_ternary_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_ternary_i8_dot_i16(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i16>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/**
 * Contract as matmul_ternary_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function matmul_ternary_i8_dot_i32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: Address,
  activationStride: usize,
  records: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i32>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scratch,
    scale,
    accumulate,
  );
}

/**
 * Contract as matmul_ternary_listed_i8_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_ternary_listed_i8_dot_i16(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i16>(weights, cols, list, count, x, record, y, scratch, scale);
}

/**
 * Contract as matmul_ternary_listed_i8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_ternary_listed_i8_dot_i32(
  weights: Address,
  cols: usize,
  list: Address,
  count: usize,
  x: Address,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmulListed<i32>(weights, cols, list, count, x, record, y, scratch, scale);
}
