// From ternary blocks of files to ternary-groups (tiles/ternary-groups). src/weight-formats defines the
// blocks.
//
// Each kernel takes whole rows of blocks. For each row it writes codes and a scale per group, both filled up
// as the layout wants. Equal weights become equal bytes: a group of zeros gets the scale 0, and a group with
// the scale 0 gets codes of zeros. A block is damaged if its scale is not finite, or if it has a code 3 that
// no writer makes.

import { Address } from "../address";
import { BLOCK_BYTES } from "../simd/dot";
import { IEEE_HALF_UNIT } from "../simd/half";

/** Four codes 1, which mean weights of zero. */
// @ts-ignore: decorator
@inline
const ZEROS: u8 = 0x55;

/** An IEEE half as f32, exactly; Infinity if the half is not finite. */
// @ts-ignore: decorator
@inline
function loadHalf(at: usize): f32 {
  const bits = <u32>load<u16>(at);
  const sign = (bits & 0x8000) << 16;
  if ((bits & 0x7c00) == 0x7c00) return Infinity;
  return reinterpret<f32>(sign | ((bits & 0x7fff) << 13)) * IEEE_HALF_UNIT;
}

/** Whether any of 64 codes is 3. */
// @ts-ignore: decorator
@inline
function hasThree(codes: v128): bool {
  // A 16-bit shift carries a bit between bytes, but only into a bit that the mask clears.
  return v128.any_true(v128.and(v128.and(codes, i16x8.shr_u(codes, 1)), i8x16.splat(ZEROS)));
}

/** Stores 128 codes and their scale. */
// @ts-ignore: decorator
@inline
function storeGroup(codes: usize, low: v128, high: v128, scaleAt: usize, scale: f32): void {
  const zeros = i8x16.splat(ZEROS);
  const isZero = scale == 0 || !v128.any_true(v128.or(v128.xor(low, zeros), v128.xor(high, zeros)));
  v128.store(codes, isZero ? zeros : low);
  v128.store(codes, isZero ? zeros : high, 16);
  store<f32>(scaleAt, isZero ? 0 : scale);
}

/** Bytes of a row of scales, in whole vectors. */
// @ts-ignore: decorator
@inline
function scaleBytes(groups: usize): usize {
  return ((groups + 3) & ~3) << 2;
}

/** Fills up a row of scales with zeros, from `at`. */
// @ts-ignore: decorator
@inline
function fillScales(at: usize, end: usize): void {
  for (; at < end; at += 4) store<f32>(at, 0);
}

/** The four codes of each byte in reverse order. */
// @ts-ignore: decorator
@inline
function reverseCodes(v: v128): v128 {
  const ends = v128.or(
    v128.and(i16x8.shl(v, 6), i8x16.splat(<i8>0xc0)),
    v128.and(i16x8.shr_u(v, 6), i8x16.splat(0x03)),
  );
  const middle = v128.or(
    v128.and(i16x8.shl(v, 2), i8x16.splat(0x30)),
    v128.and(i16x8.shr_u(v, 2), i8x16.splat(0x0c)),
  );
  return v128.or(ends, middle);
}

/**
 * codes, scales = the weights of TQ2_0 blocks: 256 weights in 66 bytes, two groups of 128 with one scale
 *
 * Shapes    blocks [rows, cols / 256] · codes [rows, cols] · scales [rows, groups]
 * Types     blocks TQ2_0 · codes ternary-groups-128 · scales f32
 * Requires  cols % 256 == 0 · codes and scales overlap nothing
 * Range     any bytes: damage is found
 * Returns   0, or 1 + the index of the first damaged block
 * Exact     lossless
 * Splits    by rows
 */
export function pack_tq2_0(
  blocks: Address,
  rows: usize,
  cols: usize,
  codes: Address,
  scales: Address,
): usize {
  const perRow = cols >> 8;
  const rowScaleBytes = scaleBytes(perRow << 1);
  for (let row: usize = 0; row < rows; ++row) {
    for (let block: usize = 0; block < perRow; ++block) {
      const from = blocks + (row * perRow + block) * 66;
      const scale = loadHalf(from + 64);
      const a = reverseCodes(v128.load(from));
      const b = reverseCodes(v128.load(from, 16));
      const c = reverseCodes(v128.load(from, 32));
      const d = reverseCodes(v128.load(from, 48));
      const threes = hasThree(a) || hasThree(b) || hasThree(c) || hasThree(d);
      if (scale == Infinity || threes) return 1 + row * perRow + block;
      const at = scales + (block << 3);
      storeGroup(codes, a, b, at, scale);
      storeGroup(codes + BLOCK_BYTES, c, d, at + 4, scale);
      codes += 2 * BLOCK_BYTES;
    }
    fillScales(scales + (perRow << 3), scales + rowScaleBytes);
    scales += rowScaleBytes;
  }
  return 0;
}

// TQ1_0: a byte f is the fraction f / 256, in base 3. Its first digit is ⌊3f / 256⌋, the rest is 3f mod 256.

/** The first digits of 16 fractions. */
// @ts-ignore: decorator
@inline
function firstDigits(f: v128): v128 {
  // 3f reaches 256 from 86 on, and 512 from 171 on. True is −1.
  const one = i8x16.ge_u(f, i8x16.splat(86));
  const two = i8x16.ge_u(f, i8x16.splat(<i8>171));
  return i8x16.neg(i8x16.add(one, two));
}

/** The fractions without their first digits. */
// @ts-ignore: decorator
@inline
function restOf(f: v128): v128 {
  return i8x16.add(f, i8x16.add(f, f));
}

/** Codes in bits 1-0 moved up by `shift` bits. */
// @ts-ignore: decorator
@inline
function shiftLeft(digits: v128, shift: i32): v128 {
  return i16x8.shl(digits, shift);
}

/** The first four digits of 16 fractions, each four in a byte from the top. */
// @ts-ignore: decorator
@inline
function fourDigits(f: v128): v128 {
  const f1 = restOf(f);
  const f2 = restOf(f1);
  const f3 = restOf(f2);
  const high = v128.or(shiftLeft(firstDigits(f), 6), shiftLeft(firstDigits(f1), 4));
  return v128.or(high, v128.or(shiftLeft(firstDigits(f2), 2), firstDigits(f3)));
}

/** The fifth digits of 16 fractions. */
// @ts-ignore: decorator
@inline
function fifthDigits(f: v128): v128 {
  return firstDigits(restOf(restOf(restOf(restOf(f)))));
}

/**
 * codes, scales = the weights of TQ1_0 blocks: 256 weights in 54 bytes, two groups of 128 with one scale
 *
 * Shapes    blocks [rows, cols / 256] · codes [rows, cols] · scales [rows, groups]
 * Types     blocks TQ1_0 · codes ternary-groups-128 · scales f32
 * Requires  cols % 256 == 0 · codes and scales overlap nothing
 * Range     any bytes: damage is found
 * Returns   0, or 1 + the index of the first damaged block
 * Exact     lossless; any byte stands for digits
 * Splits    by rows
 */
export function pack_tq1_0(
  blocks: Address,
  rows: usize,
  cols: usize,
  codes: Address,
  scales: Address,
): usize {
  const perRow = cols >> 8;
  const rowScaleBytes = scaleBytes(perRow << 1);
  for (let row: usize = 0; row < rows; ++row) {
    for (let block: usize = 0; block < perRow; ++block) {
      const from = blocks + (row * perRow + block) * 54;
      const scale = loadHalf(from + 52);
      if (scale == Infinity) return 1 + row * perRow + block;
      // Bytes 0…31: weights m, 32 + m, 64 + m, 96 + m of the first group and m of the second.
      const a = v128.load(from);
      const b = v128.load(from, 16);
      // Bytes 32…47: weights 32 + m, 48 + m, … 96 + m of the second, m < 16: digits alternate between halves.
      const c = v128.load(from, 32);
      const c1 = restOf(c);
      const c2 = restOf(c1);
      const c3 = restOf(c2);
      const c4 = restOf(c3);
      // Bytes 48…51: its weights 112 + m, 116 + m, 120 + m, 124 + m; m is below 4.
      const d = v128.load32_splat(from, 48);
      const d1 = restOf(d);
      const d2 = restOf(d1);
      const low = i32x4.shuffle(d, d1, 0, 4, 0, 4);
      const digits = firstDigits(i64x2.shuffle(low, i32x4.shuffle(d2, restOf(d2), 0, 4, 0, 4), 0, 2));
      const second = v128.or(
        v128.or(shiftLeft(fifthDigits(a), 6), shiftLeft(firstDigits(c), 4)),
        v128.or(shiftLeft(firstDigits(c2), 2), firstDigits(c4)),
      );
      const secondHigh = v128.or(
        v128.or(shiftLeft(fifthDigits(b), 6), shiftLeft(firstDigits(c1), 4)),
        v128.or(shiftLeft(firstDigits(c3), 2), digits),
      );
      const at = scales + (block << 3);
      storeGroup(codes, fourDigits(a), fourDigits(b), at, scale);
      storeGroup(codes + BLOCK_BYTES, second, secondHigh, at + 4, scale);
      codes += 2 * BLOCK_BYTES;
    }
    fillScales(scales + (perRow << 3), scales + rowScaleBytes);
    scales += rowScaleBytes;
  }
  return 0;
}

/** Byte ⌊m / 8⌋ of the first two bytes, for m from 0 to 15. */
// @ts-ignore: decorator
@inline
function spreadEights(bytes: v128): v128 {
  return i8x16.swizzle(bytes, i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
}

/** Code 2 where bit m mod 8 of byte m is set, else 0; for bytes of spreadEights. */
// @ts-ignore: decorator
@inline
function signCodes(bytes: v128): v128 {
  const bits = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(bytes, bits), bits), i8x16.splat(2));
}

/**
 * The codes of one half of 128 weights, a byte each: four runs of 16 weights, 32 apart. `bits` has
 * 128 signs.
 */
// @ts-ignore: decorator
@inline
function fourSigns(bits: v128, half: i32): v128 {
  // Two bytes of every four belong to this half: they come to the front.
  const here = half == 0 ? bits : i32x4.shr_u(bits, 16);
  const a = signCodes(spreadEights(here));
  const b = signCodes(spreadEights(i32x4.shuffle(here, here, 1, 1, 1, 1)));
  const c = signCodes(spreadEights(i32x4.shuffle(here, here, 2, 2, 2, 2)));
  const d = signCodes(spreadEights(i32x4.shuffle(here, here, 3, 3, 3, 3)));
  return v128.or(v128.or(shiftLeft(a, 6), shiftLeft(b, 4)), v128.or(shiftLeft(c, 2), d));
}

/**
 * codes, scales = the weights of Q1_0 blocks: 128 weights in 18 bytes, −d and d as codes 0 and 2
 *
 * Shapes    blocks [rows, cols / 128] · codes [rows, cols] · scales [rows, groups]
 * Types     blocks Q1_0 · codes ternary-groups-128 · scales f32
 * Requires  cols % 128 == 0 · codes and scales overlap nothing
 * Range     any bytes: damage is found
 * Returns   0, or 1 + the index of the first damaged block
 * Exact     lossless
 * Splits    by rows
 */
export function pack_q1_0(blocks: Address, rows: usize, cols: usize, codes: Address, scales: Address): usize {
  const perRow = cols >> 7;
  const rowScaleBytes = scaleBytes(perRow);
  for (let row: usize = 0; row < rows; ++row) {
    for (let block: usize = 0; block < perRow; ++block) {
      const from = blocks + (row * perRow + block) * 18;
      const scale = loadHalf(from);
      if (scale == Infinity) return 1 + row * perRow + block;
      const bits = v128.load(from, 2);
      storeGroup(codes, fourSigns(bits, 0), fourSigns(bits, 1), scales + (block << 2), scale);
      codes += BLOCK_BYTES;
    }
    fillScales(scales + (perRow << 2), scales + rowScaleBytes);
    scales += rowScaleBytes;
  }
  return 0;
}

/**
 * 16 codes from four bytes, a byte each. A byte has four codes from the low bits up; `spread` has each byte
 * four times.
 */
// @ts-ignore: decorator
@inline
function codesOf(spread: v128): v128 {
  const ones = i8x16(1, 4, 16, 64, 1, 4, 16, 64, 1, 4, 16, 64, 1, 4, 16, 64);
  const twos = i8x16(2, 8, 32, -128, 2, 8, 32, -128, 2, 8, 32, -128, 2, 8, 32, -128);
  const one = v128.and(i8x16.eq(v128.and(spread, ones), ones), i8x16.splat(1));
  const two = v128.and(i8x16.eq(v128.and(spread, twos), twos), i8x16.splat(2));
  return v128.or(one, two);
}

/** The 16 codes of the four bytes in lane 0, 1, 2 or 3 of `v`, a byte each. */
// @ts-ignore: decorator
@inline
function laneCodes(v: v128, lane: i32): v128 {
  const first = i8x16(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return codesOf(i8x16.swizzle(v, i8x16.add(first, i8x16.splat(<i8>(4 * lane)))));
}

/**
 * codes, scales = the weights of Q2_0 blocks: 64 weights in 18 bytes, or 128 in 34
 *
 * Shapes    blocks [rows, cols / groupSize] · codes [rows, cols] · scales [rows, groups]
 * Types     blocks Q2_0 · codes ternary-groups of the same size, in whole blocks of 128 · scales f32
 * Requires  cols % groupSize == 0 · groupSize 64 or 128 · codes and scales overlap nothing
 * Range     any bytes: damage is found; a code 3 is legal and means twice the scale
 * Returns   0, or 1 + the index of the first damaged block
 * Exact     lossless
 * Splits    by rows
 */
export function pack_q2_0(
  blocks: Address,
  rows: usize,
  cols: usize,
  groupSize: usize,
  codes: Address,
  scales: Address,
): usize {
  const perRow = cols / groupSize;
  const codeRuns = (cols + 63) >> 6;
  const blockRuns = groupSize >> 6;
  const rowScaleBytes = scaleBytes(((cols + 127) >> 7) * (128 / groupSize));
  const zeros = i8x16.splat(ZEROS);
  for (let row: usize = 0; row < rows; ++row) {
    let at = scales;
    let scale: f32 = 0;
    let run: usize = 0;
    let from = blocks + row * perRow * (2 + (groupSize >> 2));
    // A run is 64 weights in 16 bytes: half of 128 codes, in bits 7 to 4 or 3 to 0.
    for (; run < codeRuns; ++run) {
      if (run % blockRuns == 0) {
        scale = loadHalf(from);
        if (scale == Infinity) return 1 + row * perRow + run / blockRuns;
        from += 2;
      }
      const v = v128.load(from);
      from += 16;
      let low = v128.or(shiftLeft(laneCodes(v, 0), 2), laneCodes(v, 2));
      let high = v128.or(shiftLeft(laneCodes(v, 1), 2), laneCodes(v, 3));
      const half = i8x16.splat(ZEROS & 0x0f);
      const isZero = scale == 0 || !v128.any_true(v128.or(v128.xor(low, half), v128.xor(high, half)));
      if (isZero) {
        low = half;
        high = half;
      }
      if (run % blockRuns == 0) {
        store<f32>(at, isZero ? 0 : scale);
        at += 4;
      } else if (!isZero) store<f32>(at - 4, scale);
      if ((run & 1) == 0) {
        v128.store(codes, v128.or(shiftLeft(low, 4), v128.and(zeros, i8x16.splat(0x0f))));
        v128.store(codes, v128.or(shiftLeft(high, 4), v128.and(zeros, i8x16.splat(0x0f))), 16);
      } else {
        v128.store(codes, v128.bitselect(v128.load(codes), low, i8x16.splat(<i8>0xf0)));
        v128.store(codes, v128.bitselect(v128.load(codes, 16), high, i8x16.splat(<i8>0xf0)), 16);
        codes += BLOCK_BYTES;
      }
    }
    if (run & 1) codes += BLOCK_BYTES;
    fillScales(at, scales + rowScaleBytes);
    scales += rowScaleBytes;
  }
  return 0;
}
