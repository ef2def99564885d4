// Shared parts of matmuls by lookup tables (kernels/matmul-lookup). docs/KERNELS.md has the reasons.
//
// A byte of ternary-rows has four weights, so it has 81 values. For many tokens, the sums of four columns
// with all 81 combinations of weights are computed once. Then each row looks its sums up:
//
//   for each block of 128 columns:       32 bytes of a row, so 32 tables
//     for each table:                    entry[c, t] = Σ (four weights of c) · (four activations of t)
//     for each row:                      sums[t] = Σ over the tables of entry[the row's byte, t]
//
// In base 3, a byte has five weights, a block has 160 columns, and a table has 243 entries.
//
// The lanes of a vector are tokens. An entry of 64 tokens is 128 bytes, a block's tables are 332 kB.

/** Tables of a block of 128 columns: one for each byte of a row's block. */
// @ts-ignore: decorator
@inline
export const TABLES: usize = 32;
/** Entries of a table: the values of four weights. */
// @ts-ignore: decorator
@inline
export const TABLE_ENTRIES: usize = 81;
/** The same in base 3: the values of five weights. */
// @ts-ignore: decorator
@inline
export const BASE3_ENTRIES: usize = 243;
/** Rows whose offsets are computed at once: they overlap the waits for their weights. */
// @ts-ignore: decorator
@inline
export const OFFSET_ROWS: usize = 8;
/** Columns of a block. */
// @ts-ignore: decorator
@inline
export const LOOKUP_COLS: usize = 128;
/** Bytes of a row's block. */
// @ts-ignore: decorator
@inline
export const LOOKUP_BYTES: usize = 32;

// Kernels load constants once per call: V8 rebuilds a v128 constant at every use in a loop (three micro-ops).
// The part of an index that two weights of a byte make, by their four bits: 27 · c0 + 9 · c1 and 3 · c2 + c3.
const HIGH_PARTS = memory.data<u8>([0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0]);
const LOW_PARTS = memory.data<u8>([0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0]);
const NIBBLES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]);

/** parts[nibble]: nibbles are 0…15, where the relaxed instruction is the plain one. */
// @ts-ignore: decorator
@inline
function pick(parts: v128, nibbles: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(parts, nibbles);
  return i8x16.swizzle(parts, nibbles);
}

/**
 * offsets [rows, 32] u16 = the entry of each byte of a row's block, (27 · c0 + 9 · c1 + 3 · c2 + c3) <<
 * entryShift. A code of 3 gives another entry of the same table.
 *
 * With groups of 64, `halved`, a byte has weights of two groups. Then 16 offsets are of the first group: c0,
 * c1 are those of byte j, and c2, c3 are c0, c1 of byte 16 + j. The others are of the second group, likewise
 * with c2 and c3 of these bytes.
 */
// @ts-ignore: decorator
@inline
export function entryOffsets(
  halved: bool,
  weights: usize,
  rowBytes: usize,
  rows: usize,
  entryShift: i32,
  offsets: usize,
): void {
  const high = v128.load(HIGH_PARTS),
    low = v128.load(LOW_PARTS),
    nibble = v128.load(NIBBLES);
  for (const end = offsets + (rows << 6); offsets < end; offsets += 64) {
    const a = v128.load(weights),
      b = v128.load(weights, 16);
    const ha = v128.and(i16x8.shr_u(a, 4), nibble),
      hb = v128.and(i16x8.shr_u(b, 4), nibble),
      la = v128.and(a, nibble),
      lb = v128.and(b, nibble);
    const e = i8x16.add(pick(high, ha), pick(low, halved ? hb : la));
    const f = i8x16.add(pick(high, halved ? la : hb), pick(low, lb));
    v128.store(offsets, i16x8.shl(i16x8.extend_low_i8x16_u(e), entryShift));
    v128.store(offsets, i16x8.shl(i16x8.extend_high_i8x16_u(e), entryShift), 16);
    v128.store(offsets, i16x8.shl(i16x8.extend_low_i8x16_u(f), entryShift), 32);
    v128.store(offsets, i16x8.shl(i16x8.extend_high_i8x16_u(f), entryShift), 48);
    weights += rowBytes;
  }
}

/**
 * The same in base 3: a byte plus 128 is n · 256 / 243, rounded up, so n is the floor of (byte + 128) · 243 /
 * 256.
 */
// @ts-ignore: decorator
@inline
export function base3Offsets(
  weights: usize,
  rowBytes: usize,
  rows: usize,
  entryShift: i32,
  offsets: usize,
): void {
  const bias = i8x16.splat(-128);
  const entries = i16x8.splat(243);
  for (const end = offsets + (rows << 6); offsets < end; offsets += 64) {
    const a = v128.xor(v128.load(weights), bias),
      b = v128.xor(v128.load(weights, 16), bias);
    v128.store(offsets, base3Entry(i16x8.extend_low_i8x16_u(a), entries, entryShift));
    v128.store(offsets, base3Entry(i16x8.extend_high_i8x16_u(a), entries, entryShift), 16);
    v128.store(offsets, base3Entry(i16x8.extend_low_i8x16_u(b), entries, entryShift), 32);
    v128.store(offsets, base3Entry(i16x8.extend_high_i8x16_u(b), entries, entryShift), 48);
    weights += rowBytes;
  }
}

// @ts-ignore: decorator
@inline
function base3Entry(bytes: v128, entries: v128, entryShift: i32): v128 {
  return i16x8.shl(i16x8.shr_u(i16x8.mul(bytes, entries), 8), entryShift);
}

/** The bytes of two vectors in turns: a0 b0 a1 b1 … of their lower or upper halves. */
// @ts-ignore: decorator
@inline
function zipBytesLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
// @ts-ignore: decorator
@inline
function zipBytesHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
/** The same for pairs of bytes. */
// @ts-ignore: decorator
@inline
function zipPairsLow(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
// @ts-ignore: decorator
@inline
function zipPairsHigh(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** Four columns [4, 8 tokens] from the columns' bytes of tokens 0…3 and of tokens 4…7, widened. */
// @ts-ignore: decorator
@inline
function storeColumns(to: usize, columnBytes: usize, first: v128, second: v128): void {
  const a = i32x4.shuffle(first, second, 0, 4, 1, 5),
    b = i32x4.shuffle(first, second, 2, 6, 3, 7);
  v128.store(to, i16x8.extend_low_i8x16_s(a));
  v128.store(to + columnBytes, i16x8.extend_high_i8x16_s(a));
  v128.store(to + 2 * columnBytes, i16x8.extend_low_i8x16_s(b));
  v128.store(to + 3 * columnBytes, i16x8.extend_high_i8x16_s(b));
}

/**
 * columns [count, lanes] i16 = the transposed activations of `tokens` tokens, `count` columns of them. Lanes
 * after the last token repeat it.
 */
// @ts-ignore: decorator
@inline
export function transposeColumns(
  x: usize,
  xStride: usize,
  count: usize,
  tokens: usize,
  lanes: usize,
  columns: usize,
): void {
  const columnBytes = lanes << 1;
  const last = tokens - 1;
  for (let t: usize = 0; t < lanes; t += 8) {
    const x0 = x + min(t, last) * xStride,
      x1 = x + min(t + 1, last) * xStride,
      x2 = x + min(t + 2, last) * xStride,
      x3 = x + min(t + 3, last) * xStride,
      x4 = x + min(t + 4, last) * xStride,
      x5 = x + min(t + 5, last) * xStride,
      x6 = x + min(t + 6, last) * xStride,
      x7 = x + min(t + 7, last) * xStride;
    for (let k: usize = 0; k < count; k += 16) {
      const to = columns + k * columnBytes + (t << 1);
      const r0 = v128.load(x0 + k),
        r1 = v128.load(x1 + k),
        r2 = v128.load(x2 + k),
        r3 = v128.load(x3 + k),
        r4 = v128.load(x4 + k),
        r5 = v128.load(x5 + k),
        r6 = v128.load(x6 + k),
        r7 = v128.load(x7 + k);
      const l01 = zipBytesLow(r0, r1),
        l23 = zipBytesLow(r2, r3),
        l45 = zipBytesLow(r4, r5),
        l67 = zipBytesLow(r6, r7);
      storeColumns(to, columnBytes, zipPairsLow(l01, l23), zipPairsLow(l45, l67));
      storeColumns(to + 4 * columnBytes, columnBytes, zipPairsHigh(l01, l23), zipPairsHigh(l45, l67));
      const h01 = zipBytesHigh(r0, r1),
        h23 = zipBytesHigh(r2, r3),
        h45 = zipBytesHigh(r4, r5),
        h67 = zipBytesHigh(r6, r7);
      storeColumns(to + 8 * columnBytes, columnBytes, zipPairsLow(h01, h23), zipPairsLow(h45, h67));
      storeColumns(to + 12 * columnBytes, columnBytes, zipPairsHigh(h01, h23), zipPairsHigh(h45, h67));
    }
  }
}

/**
 * totals [lanes] i32 (+)= sums [lanes] i16. Both totals of a pair are loaded before one is stored: a load
 * between two stores stops the revectorizer.
 */
// @ts-ignore: decorator
@inline
export function widenSums(sums: usize, lanes: usize, totals: usize, accumulate: bool): void {
  if (accumulate) {
    for (const end = sums + (lanes << 1); sums < end; sums += 16) {
      const v = v128.load(sums);
      const first = v128.load(totals),
        second = v128.load(totals, 16);
      v128.store(totals, i32x4.add(first, i32x4.extend_low_i16x8_s(v)));
      v128.store(totals, i32x4.add(second, i32x4.extend_high_i16x8_s(v)), 16);
      totals += 32;
    }
  } else {
    for (const end = sums + (lanes << 1); sums < end; sums += 16) {
      const v = v128.load(sums);
      v128.store(totals, i32x4.extend_low_i16x8_s(v));
      v128.store(totals, i32x4.extend_high_i16x8_s(v), 16);
      totals += 32;
    }
  }
}

/**
 * totals [lanes] f32 = (accumulate ? totals : 0) + (c · s[t]) · sums[t], for sums [lanes] i16 and s [lanes]
 * f32. Loads come before stores, as in widenSums.
 */
// @ts-ignore: decorator
@inline
export function scaleSums(
  sums: usize,
  lanes: usize,
  c: v128,
  s: usize,
  totals: usize,
  accumulate: bool,
): void {
  const end = sums + (lanes << 1);
  if (accumulate) {
    for (; sums < end; sums += 16) {
      const v = v128.load(sums);
      const first = v128.load(totals),
        second = v128.load(totals, 16);
      const low = v128.load(s),
        high = v128.load(s, 16);
      v128.store(totals, f32x4.add(first, scaledLow(c, low, v)));
      v128.store(totals, f32x4.add(second, scaledHigh(c, high, v)), 16);
      s += 32;
      totals += 32;
    }
  } else {
    const zero = f32x4.splat(0);
    for (; sums < end; sums += 16) {
      const v = v128.load(sums);
      const low = v128.load(s),
        high = v128.load(s, 16);
      v128.store(totals, f32x4.add(zero, scaledLow(c, low, v)));
      v128.store(totals, f32x4.add(zero, scaledHigh(c, high, v)), 16);
      s += 32;
      totals += 32;
    }
  }
}

/** (c · s) · the first four of eight sums. */
// @ts-ignore: decorator
@inline
function scaledLow(c: v128, s: v128, sums: v128): v128 {
  return f32x4.mul(f32x4.mul(c, s), f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(sums)));
}

/** (c · s) · the last four of eight sums. */
// @ts-ignore: decorator
@inline
function scaledHigh(c: v128, s: v128, sums: v128): v128 {
  return f32x4.mul(f32x4.mul(c, s), f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(sums)));
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
export function putFour(
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
export function putLanes(y: usize, yStride: usize, left: usize, values: v128, accumulate: bool): void {
  putOne(y, f32x4.extract_lane(values, 0), accumulate);
  if (left > 1) putOne(y + yStride, f32x4.extract_lane(values, 1), accumulate);
  if (left > 2) putOne(y + 2 * yStride, f32x4.extract_lane(values, 2), accumulate);
  if (left > 3) putOne(y + 3 * yStride, f32x4.extract_lane(values, 3), accumulate);
}
