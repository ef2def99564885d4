// From two-bit codes and from TQ1_0 blocks to base-3 rows (simd/base3). Each kernel writes a row's digits to
// the scratch, a byte each, and then encodes five runs of 32 digits in 32 bytes.

import { Address } from "../address";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS, digits, firstThird, rest, secondThird } from "../simd/base3";
import { BLOCK_BYTES, BLOCK_COLS } from "../simd/dot";

/** Numbers n below 243 as the fractions of n / 243: n + ⌈13n / 243⌉, less 128. */
// @ts-ignore: decorator
@inline
function fractions(numbers: v128): v128 {
  const low = i16x8.extend_low_i8x16_u(numbers);
  const high = i16x8.extend_high_i8x16_u(numbers);
  const parts = i8x16.narrow_i16x8_u(thirteenParts(low), thirteenParts(high));
  return v128.xor(i8x16.add(numbers, parts), i8x16.splat(-128));
}

/** ⌈13n / 243⌉ = ⌊(13n + 242) / 243⌋: 4316 / 2²⁰ is near enough to 1 / 243 for n below 243. */
// @ts-ignore: decorator
@inline
function thirteenParts(numbers: v128): v128 {
  const t = i16x8.add(i16x8.mul(numbers, i16x8.splat(13)), i16x8.splat(242));
  const factor = i16x8.splat(4316);
  return i16x8.narrow_i32x4_u(
    i32x4.shr_u(i32x4.extmul_low_i16x8_u(t, factor), 20),
    i32x4.shr_u(i32x4.extmul_high_i16x8_u(t, factor), 20),
  );
}

/** Numbers of five digits, one in every 32 bytes, highest first. */
// @ts-ignore: decorator
@inline
function fiveDigits(from: usize): v128 {
  let numbers = v128.load(from);
  for (let at = from + 32; at < from + BASE3_BLOCK_COLS; at += 32) {
    numbers = i8x16.add(i8x16.add(numbers, i8x16.add(numbers, numbers)), v128.load(at));
  }
  return numbers;
}

/** Encodes whole blocks of 160 digits. */
// @ts-ignore: decorator
@inline
function encode(from: usize, blocks: usize, to: usize): void {
  for (const end = to + blocks * BASE3_BLOCK_BYTES; to < end; to += BASE3_BLOCK_BYTES) {
    v128.store(to, fractions(fiveDigits(from)));
    v128.store(to, fractions(fiveDigits(from + 16)), 16);
    from += BASE3_BLOCK_COLS;
  }
}

/** Zeros after `count` digits, up to whole blocks. */
// @ts-ignore: decorator
@inline
function fillDigits(digitsAt: usize, count: usize, blocks: usize): void {
  memory.fill(digitsAt + count, 0, blocks * BASE3_BLOCK_COLS - count);
}

/**
 * to = the weights of rows of two-bit codes
 *
 * Shapes    codes, to [rows, cols], rows of whole blocks
 * Types     codes ternary-rows · to base3-rows
 * Requires  scratch ⌈cols / 160⌉ · 160 + 128 bytes of the caller's own · to overlaps nothing
 * Range     codes 0…2
 * Exact     lossless
 * Splits    by rows
 */
export function pack_base3(codes: Address, rows: usize, cols: usize, to: Address, scratch: Address): void {
  const codeBlocks = (cols + BLOCK_COLS - 1) / BLOCK_COLS;
  const blocks = (cols + BASE3_BLOCK_COLS - 1) / BASE3_BLOCK_COLS;
  const mask = i8x16.splat(3);
  for (let row: usize = 0; row < rows; ++row) {
    let digit = scratch;
    for (let block: usize = 0; block < codeBlocks; ++block) {
      for (let half: usize = 0; half < 32; half += 16) {
        const v = v128.load(codes + half);
        v128.store(digit + half, v128.and(i16x8.shr_u(v, 6), mask));
        v128.store(digit + half, v128.and(i16x8.shr_u(v, 4), mask), 32);
        v128.store(digit + half, v128.and(i16x8.shr_u(v, 2), mask), 64);
        v128.store(digit + half, v128.and(v, mask), 96);
      }
      codes += BLOCK_BYTES;
      digit += BLOCK_COLS;
    }
    const count = digit - scratch;
    if (count < blocks * BASE3_BLOCK_COLS) fillDigits(scratch, count, blocks);
    encode(scratch, blocks, to);
    to += blocks * BASE3_BLOCK_BYTES;
  }
}

/** The first five digits of 16 bytes, every `step` bytes. */
// @ts-ignore: decorator
@inline
function storeDigits(bytes: v128, to: usize, step: usize, first: v128, second: v128): void {
  for (let at = to; at < to + 5 * step; at += step) {
    v128.store(at, digits(bytes, first, second));
    bytes = rest(bytes);
  }
}

/**
 * to, scales = the weights of TQ1_0 blocks: 256 weights in 54 bytes with one scale
 *
 * Equal weights become equal bytes: a block of zeros gets the scale 0, and a block with the scale 0 gets
 * digits of zeros.
 *
 * Shapes    blocks [rows, cols / 256] · to [rows, cols], rows of whole blocks of 160 · scales [rows, cols /
 *           256]
 * Types     blocks TQ1_0 · to base3-rows · scales halves
 * Requires  cols % 256 == 0 · scratch ⌈cols / 160⌉ · 160 bytes of the caller's own · to and scales overlap
 *           nothing
 * Range     any bytes: damage is found
 * Returns   0, or 1 + the index of the first damaged block: its scale is not finite
 * Exact     lossless; any byte stands for digits
 * Splits    by rows
 */
export function pack_base3_tq1_0(
  blocks: Address,
  rows: usize,
  cols: usize,
  to: Address,
  scales: Address,
  scratch: Address,
): usize {
  const perRow = cols >> 8;
  const rowBlocks = (cols + BASE3_BLOCK_COLS - 1) / BASE3_BLOCK_COLS;
  const first = firstThird();
  const second = secondThird();
  const sign = i8x16.splat(-128);
  for (let block: usize = 0; block < rows * perRow; ++block) {
    const from = blocks + block * 54;
    const digit = scratch + ((block % perRow) << 8);
    const scale = load<u16>(from, 52);
    if ((scale & 0x7c00) == 0x7c00) return 1 + block;
    // Bytes 0…31: five digits every 32 weights. Bytes 32…47: five digits every 16 weights.
    storeDigits(v128.xor(v128.load(from), sign), digit, 32, first, second);
    storeDigits(v128.xor(v128.load(from, 16), sign), digit + 16, 32, first, second);
    storeDigits(v128.xor(v128.load(from, 32), sign), digit + 160, 16, first, second);
    // Bytes 48…51: four digits every 4 weights. The fifth step would leave the block.
    let last = v128.xor(v128.load32_splat(from, 48), sign);
    for (let at = digit + 240; at < digit + 256; at += 4) {
      v128.store32_lane(at, digits(last, first, second), 0);
      last = rest(last);
    }
    const isZero = (scale & 0x7fff) == 0 || allOnes(digit);
    if (isZero) memory.fill(digit, 1, 256);
    store<u16>(scales + (block << 1), isZero ? 0 : scale);
    if (digit == scratch + cols - 256) {
      if (cols < rowBlocks * BASE3_BLOCK_COLS) fillDigits(scratch, cols, rowBlocks);
      encode(scratch, rowBlocks, to);
      to += rowBlocks * BASE3_BLOCK_BYTES;
    }
  }
  return 0;
}

/** Whether 256 digits are ones, which mean weights of zero. */
// @ts-ignore: decorator
@inline
function allOnes(at: usize): bool {
  let differ = i8x16.splat(0);
  const one = i8x16.splat(1);
  for (const end = at + 256; at < end; at += 16) differ = v128.or(differ, v128.xor(v128.load(at), one));
  return !v128.any_true(differ);
}
