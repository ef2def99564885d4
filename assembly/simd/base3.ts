// Digits of base-3 bytes: the codes 0, 1 and 2 of five weights in a byte.
//
// A byte is a fraction f / 256 in base 3, as in TQ1_0. Its first digit is ⌊3f / 256⌋, and the rest is 3f mod
// 256. In memory a byte is f − 128. So a signed comparison finds the digit: it is one instruction on every
// CPU, and an unsigned one is two on x86. Three times f − 128 is 3f − 128 modulo 256: the rest needs no
// correction.

// Kernels load constants once per call: V8 rebuilds a v128 constant at every use in a loop (three micro-ops).
const THIRDS = memory.data<i8>([
  -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, -43, 42, 42, 42, 42, 42, 42, 42,
  42, 42, 42, 42, 42, 42, 42, 42, 42,
]);

/** Bytes of a block of 160 weights, five in a byte: byte j has weights j, 32 + j, … 128 + j. */
// @ts-ignore: decorator
@inline
export const BASE3_BLOCK_BYTES: usize = 32;
/** Weights of a block. */
// @ts-ignore: decorator
@inline
export const BASE3_BLOCK_COLS: usize = 160;

/**
 * Blocks after which 16-bit sums are flushed. Each half of a block has sums of its own and adds 5 pair sums
 * to a lane: 12 · 5 · 512 = 30720 < 2¹⁵.
 */
// @ts-ignore: decorator
@inline
export const BASE3_FLUSH_BLOCKS: usize = 12;

/** The largest byte whose first digit is 0, in every lane. */
// @ts-ignore: decorator
@inline
export function firstThird(): v128 {
  return v128.load(THIRDS);
}

/** The largest byte whose first digit is below 2, in every lane. */
// @ts-ignore: decorator
@inline
export function secondThird(): v128 {
  return v128.load(THIRDS, 16);
}

/** The first digits of 16 bytes. */
// @ts-ignore: decorator
@inline
export function digits(bytes: v128, first: v128, second: v128): v128 {
  // True is −1.
  return i8x16.abs(i8x16.add(i8x16.gt_s(bytes, first), i8x16.gt_s(bytes, second)));
}

/** The bytes without their first digits. */
// @ts-ignore: decorator
@inline
export function rest(bytes: v128): v128 {
  return i8x16.add(bytes, i8x16.add(bytes, bytes));
}
