// Kernels that skip the zeros of a token. With a squared relu, a gate element that is not positive makes a
// row of `up` useless, and an activation that quantizes to zero makes a column of `down` useless. Skipping
// them changes no sum.

import { Address } from "../address";
import { codeMask, firstCodes, secondCodes } from "../simd/dot";

/**
 * list[i] = the i-th k in [begin, end) with x[k] > 0 or NaN
 *
 * Shapes    x [end] · list [end − begin]
 * Types     x f32 · list u32
 * Requires  begin % 4 == 0, end % 4 == 0 · list overlaps nothing
 * Range     any values
 * Returns   the number of entries
 * Exact     in ascending order
 * Splits    by ranges: their lists, one after another, are the whole list
 */
export function list_positive(x: Address, begin: usize, end: usize, list: Address): usize {
  const zero = f32x4.splat(0);
  const from = list;
  for (let k = begin; k < end; k += 4) {
    let found: i32 = ~i32x4.bitmask(f32x4.le(v128.load(x + (k << 2)), zero)) & 15;
    for (; found != 0; found &= found - 1, list += 4) store<u32>(list, k + ctz(found));
  }
  return (list - from) >> 2;
}

/**
 * list[i] = the i-th k in [0, count) with q[k] ≠ 0
 *
 * Shapes    q, list [count]
 * Types     q i8 · list u32
 * Requires  count % 16 == 0 · list overlaps nothing
 * Range     any values
 * Returns   the number of entries
 * Exact     in ascending order
 * Splits    no: entries count from q
 */
export function list_nonzero(q: Address, count: usize, list: Address): usize {
  const zero = i8x16.splat(0);
  const from = list;
  for (let k: usize = 0; k < count; k += 16) {
    let found: i32 = i8x16.bitmask(i8x16.ne(v128.load(q + k), zero));
    for (; found != 0; found &= found - 1, list += 4) store<u32>(list, k + ctz(found));
  }
  return (list - from) >> 2;
}

/**
 * gate[k] = gate[k]² · up[k] where gate[k] > 0 or NaN, else 0         for k in [begin, end)
 *
 * gate_relu2 for one token whose `up` was computed only where list_positive says. Elsewhere `up` may hold
 * anything.
 *
 * Shapes    gate, up [end]
 * Types     f32
 * Requires  begin % 4 == 0, end % 4 == 0 · up overlaps no gate
 * Range     any values
 * Exact     as gate_relu2 except for the sign of zeros
 * Splits    by ranges
 */
export function gate_relu2_listed(gate: Address, up: Address, begin: usize, end: usize): void {
  const zero = f32x4.splat(0);
  for (let k = begin << 2; k < end << 2; k += 16) {
    const g = v128.load(gate + k);
    const value = f32x4.mul(f32x4.mul(g, g), v128.load(up + k));
    v128.store(gate + k, v128.andnot(value, f32x4.le(g, zero)));
  }
}

/**
 * to[k, r] = W[r, k]                                           for r in [rowBegin, rowEnd)
 *
 * "ternary-columns" is the transposed matrix in ternary-rows: column k of W is `rows` codes in rows / 4
 * bytes.
 *
 * Shapes    W [rows, cols] · to [cols, rows]
 * Types     W ternary-rows · to ternary-columns
 * Requires  rows, rowBegin, rowEnd, cols % 128 == 0 · 16-byte aligned · scratch 4608 bytes of the caller's
 *           own · to overlaps nothing
 * Range     codes 0…3
 * Exact     lossless
 * Splits    by blocks of 128 rows
 */
export function transpose_ternary(
  weights: Address,
  rows: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  to: Address,
  scratch: Address,
): void {
  const rowBytes = cols >> 2;
  const columnBytes = rows >> 2;
  for (let row = rowBegin; row < rowEnd; row += 128) {
    for (let col: usize = 0; col < cols; col += 128) {
      gatherFields(weights + row * rowBytes + (col >> 2), rowBytes, scratch);
      const out = to + col * columnBytes + (row >> 2);
      for (let c: usize = 0; c < 128; c += 16) {
        for (let j: usize = 0; j < 32; j += 16) {
          transposeSquare(scratch + j * 128 + c, out + c * columnBytes + j, columnBytes, scratch + 4096);
        }
      }
    }
  }
}

/**
 * Of a block of 128 × 128 codes: byte (j, k) of to [32, 128] holds column k's codes of rows j, 32 + j, 64 +
 * j, 96 + j. A transposed 32 × 128 bytes of this kind is the block by columns.
 */
// @ts-ignore: decorator
@inline
function gatherFields(weights: usize, rowBytes: usize, to: usize): void {
  const mask = codeMask<i32>();
  const step = rowBytes << 5;
  for (let j: usize = 0; j < 32; ++j, weights += rowBytes, to += 128) {
    for (let half: usize = 0; half < 32; half += 16) {
      const at = weights + half;
      const v0 = v128.load(at);
      const v1 = v128.load(at + step);
      const v2 = v128.load(at + 2 * step);
      const v3 = v128.load(at + 3 * step);
      v128.store(to + half, gatherField(v0, v1, v2, v3, 6, mask));
      v128.store(to + half, gatherField(v0, v1, v2, v3, 4, mask), 32);
      v128.store(to + half, gatherField(v0, v1, v2, v3, 2, mask), 64);
      v128.store(to + half, gatherField(v0, v1, v2, v3, 0, mask), 96);
    }
  }
}

/** Codes at `shift` of four vectors of rows, moved to bits 7-6, 5-4, 3-2 and 1-0 of one. */
// @ts-ignore: decorator
@inline
function gatherField(v0: v128, v1: v128, v2: v128, v3: v128, shift: i32, mask: v128): v128 {
  const high = v128.or(
    i16x8.shl(firstCodes<i32>(v0, shift, mask), 6),
    i16x8.shl(firstCodes<i32>(v1, shift, mask), 4),
  );
  const low = v128.or(i16x8.shl(firstCodes<i32>(v2, shift, mask), 2), firstCodes<i32>(v3, shift, mask));
  return v128.or(high, low);
}

/**
 * Transposes 16 × 16 bytes, from rows 128 bytes apart to rows toStride apart: four perfect shuffles of rows.
 */
// @ts-ignore: decorator
@inline
function transposeSquare(from: usize, to: usize, toStride: usize, scratch: usize): void {
  shuffleRows(from, 128, scratch, 16);
  shuffleRows(scratch, 16, scratch + 256, 16);
  shuffleRows(scratch + 256, 16, scratch, 16);
  shuffleRows(scratch, 16, to, toStride);
}

/** The bytes of rows i and i + 8, interleaved, become rows 2i and 2i + 1. */
// @ts-ignore: decorator
@inline
function shuffleRows(from: usize, fromStride: usize, to: usize, toStride: usize): void {
  for (let i: usize = 0; i < 8; ++i, from += fromStride, to += toStride << 1) {
    const a = v128.load(from);
    const b = v128.load(from + (fromStride << 3));
    v128.store(to, interleaveLow(a, b));
    v128.store(to + toStride, interleaveHigh(a, b));
  }
}

// @ts-ignore: decorator
@inline
function interleaveLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/**
 * Groups of eight columns after which 16-bit sums are flushed: each adds at most 8 · 2 · 128 to a lane.
 */
// @ts-ignore: decorator
@inline
const FLUSH_GROUPS: u32 = 15;

/**
 * y[r] (+)= (Σ W[r, k] · x[k] for the k in list) / s · d               for r in [rowBegin, rowEnd)
 *
 * The matmul of a token whose other activations are zero: matmul_ternary_i8_* gives the same bytes.
 *
 *   for each eight columns of the list: sums16[r] += Σ code · x
 *   after 15 of them and at the end:    sums32[r] += sums16[r], sums16[r] = 0
 *   y[r] = (sums32[r] − Σ x) / s · d
 *
 * Shapes    W [rows, cols] · x [cols] · list [count] · y [rows]
 * Types     W ternary-columns · x i8 · list u32 · record {s: f32, Σₖ x[k]: i32} · y f32 · d = scale
 * Requires  rows, rowBegin, rowEnd % 128 == 0 · W 16-byte aligned · scratch 16 + 6 · (rowEnd − rowBegin)
 *           bytes of the caller's own · nothing else overlaps y
 * Range     codes 0…2 · |Σ| fits i32
 * Exact     bit-identical in every build and split, and to the matmul by rows
 * Splits    by rows
 */
export function matmul_ternary_columns_i8(
  weights: Address,
  rows: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  list: Address,
  count: usize,
  record: Address,
  y: Address,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  const bytes = (rowEnd - rowBegin) >> 2;
  const sums16 = scratch + 16;
  const sums32 = sums16 + (bytes << 3);
  memory.fill(sums16, 0, bytes * 24);
  const columnBytes = rows >> 2;
  weights += rowBegin >> 2;
  let groups: u32 = 0;
  for (const end = list + (count << 2); list < end; list += 32) {
    addColumns(weights, columnBytes, bytes, x, list, end, sums16);
    if (++groups == FLUSH_GROUPS) {
      flush(sums16, sums32, bytes << 2);
      groups = 0;
    }
  }
  flush(sums16, sums32, bytes << 2);
  finish(sums32, bytes << 2, record, y + (rowBegin << 2), scale, accumulate);
}

/**
 * sums16[r] += Σ code · x over up to eight columns, from list to end.
 *
 *   touch every cache line of the eight columns, in order
 *   for each 16 bytes (64 rows): interleave the bytes of columns in pairs; for each field of a byte:
 *     sums16 [eight rows] += the dot products of the pairs' codes with their two activations
 *
 * sums16 is [rows] i16 in the order of rows. Columns past the end have the activation 0.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function addColumns(weights: usize, columnBytes: usize, bytes: usize, x: usize, list: usize, end: usize, sums16: usize): void {
  const mask = ASC_FEATURE_RELAXED_SIMD ? codeMask<i16>() : codeMask<i8>();
  const x0 = activation(x, list, end), x1 = activation(x, list + 4, end), x2 = activation(x, list + 8, end), x3 = activation(x, list + 12, end);
  const x4 = activation(x, list + 16, end), x5 = activation(x, list + 20, end), x6 = activation(x, list + 24, end), x7 = activation(x, list + 28, end);
  const p0 = evens(x0, x1), p1 = evens(x2, x3), p2 = evens(x4, x5), p3 = evens(x6, x7);
  const r0 = odds(x1), r1 = odds(x3), r2 = odds(x5), r3 = odds(x7);
  const w0 = column(weights, columnBytes, list, end), w1 = column(weights, columnBytes, list + 4, end), w2 = column(weights, columnBytes, list + 8, end), w3 = column(weights, columnBytes, list + 12, end);
  const w4 = column(weights, columnBytes, list + 16, end), w5 = column(weights, columnBytes, list + 20, end), w6 = column(weights, columnBytes, list + 24, end), w7 = column(weights, columnBytes, list + 28, end);
  let touched: u32 = 0;
  for (let b: usize = 0; b < bytes; b += 64) {
    touched += load<u8>(w0 + b) + load<u8>(w1 + b) + load<u8>(w2 + b) + load<u8>(w3 + b) + load<u8>(w4 + b) + load<u8>(w5 + b) + load<u8>(w6 + b) + load<u8>(w7 + b);
  }
  store<u32>(sums16 - 16, touched);
  for (let b: usize = 0; b < bytes; b += 16) {
    // Rows of byte j: 32·field + j of the block. Sums of 16 bits lie in the order of rows.
    const to = sums16 + ((b & ~31) << 3) + ((b & 16) << 1);
    // Columns are loaded twice, so that few vectors are live at a time.
    addFields(
      to,
      interleaveLow(v128.load(w0 + b), v128.load(w1 + b)), interleaveLow(v128.load(w2 + b), v128.load(w3 + b)),
      interleaveLow(v128.load(w4 + b), v128.load(w5 + b)), interleaveLow(v128.load(w6 + b), v128.load(w7 + b)),
      p0, p1, p2, p3, r0, r1, r2, r3, mask,
    );
    addFields(
      to + 16,
      interleaveHigh(v128.load(w0 + b), v128.load(w1 + b)), interleaveHigh(v128.load(w2 + b), v128.load(w3 + b)),
      interleaveHigh(v128.load(w4 + b), v128.load(w5 + b)), interleaveHigh(v128.load(w6 + b), v128.load(w7 + b)),
      p0, p1, p2, p3, r0, r1, r2, r3, mask,
    );
  }
}

/** The activation of a list's entry; 0 past its end. */
// @ts-ignore: decorator
@inline
function activation(x: usize, at: usize, end: usize): i32 {
  return at < end ? load<i8>(x + load<u32>(at)) : 0;
}

/** The column of a list's entry; past its end any column, because its activation is 0. */
// @ts-ignore: decorator
@inline
function column(weights: usize, columnBytes: usize, at: usize, end: usize): usize {
  return at < end ? weights + <usize>load<u32>(at) * columnBytes : weights;
}

/**
 * The factors of two columns' interleaved codes: both in turn for the relaxed dot product, else the first
 * one.
 */
// @ts-ignore: decorator
@inline
function evens(a: i32, b: i32): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i16x8.splat(<i16>((a & 255) | (b << 8))) : i16x8.splat(<i16>a);
}

/** The factor of the second column, without the relaxed dot product. */
// @ts-ignore: decorator
@inline
function odds(b: i32): v128 {
  return i16x8.splat(<i16>b);
}

/**
 * The four fields of 16 interleaved bytes; a field's rows are 32 apart, so its sums are 64 bytes apart.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function addFields(to: usize, a: v128, b: v128, c: v128, d: v128, p0: v128, p1: v128, p2: v128, p3: v128, r0: v128, r1: v128, r2: v128, r3: v128, mask: v128): void {
  addField(to, a, b, c, d, p0, p1, p2, p3, r0, r1, r2, r3, 6, mask);
  addField(to + 64, a, b, c, d, p0, p1, p2, p3, r0, r1, r2, r3, 4, mask);
  addField(to + 128, a, b, c, d, p0, p1, p2, p3, r0, r1, r2, r3, 2, mask);
  addField(to + 192, a, b, c, d, p0, p1, p2, p3, r0, r1, r2, r3, 0, mask);
}

/** The sums of eight rows over eight columns, whose codes are at `shift`. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function addField(to: usize, a: v128, b: v128, c: v128, d: v128, p0: v128, p1: v128, p2: v128, p3: v128, r0: v128, r1: v128, r2: v128, r3: v128, shift: i32, mask: v128): void {
  const ab = i16x8.add(pair(a, p0, r0, shift, mask), pair(b, p1, r1, shift, mask));
  const cd = i16x8.add(pair(c, p2, r2, shift, mask), pair(d, p3, r3, shift, mask));
  v128.store(to, i16x8.add(v128.load(to), i16x8.add(ab, cd)));
}

/** Interleaved codes of two columns times their activations. */
// @ts-ignore: decorator
@inline
function pair(codes: v128, p: v128, r: v128, shift: i32, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_dot<i16>(p, firstCodes<i16>(codes, shift, mask));
  return i16x8.add(
    i16x8.mul(firstCodes<i8>(codes, shift, mask), p),
    i16x8.mul(secondCodes<i8>(codes, shift, mask), r),
  );
}

/** sums32[r] += sums16[r], sums16[r] = 0 */
// @ts-ignore: decorator
@inline
function flush(sums16: usize, sums32: usize, rows: usize): void {
  const zero = i16x8.splat(0);
  for (const end = sums16 + (rows << 1); sums16 < end; sums16 += 16, sums32 += 32) {
    const v = v128.load(sums16);
    v128.store(sums32, i32x4.add(v128.load(sums32), i32x4.extend_low_i16x8_s(v)));
    v128.store(sums32, i32x4.add(v128.load(sums32, 16), i32x4.extend_high_i16x8_s(v)), 16);
    v128.store(sums16, zero);
  }
}

/** y = (Σ codes·x − Σ x) / s · d in f32 in this order, as in the matmul by rows; added to y if asked. */
// @ts-ignore: decorator
@inline
function finish(sums32: usize, rows: usize, record: usize, y: usize, scale: f32, accumulate: bool): void {
  const sum = i32x4.splat(load<i32>(record, 4));
  const s = f32x4.splat(load<f32>(record));
  const d = f32x4.splat(scale);
  for (const end = sums32 + (rows << 2); sums32 < end; sums32 += 16, y += 16) {
    const value = f32x4.mul(f32x4.div(f32x4.convert_i32x4_s(i32x4.sub(v128.load(sums32), sum)), s), d);
    v128.store(y, accumulate ? f32x4.add(v128.load(y), value) : value);
  }
}
