// Integer dot products. Their instructions depend on the build; kernels do not.
//
// A kernel is generic in the *form* F of its dot product, a type named after the result of the instruction
// used:
//
//   i32   a relaxed instruction multiplies, adds up four products and accumulates in 32 bits  (relaxed build)
//   i16   a relaxed instruction multiplies and adds up pairs in 16 bits; `flush` widens them  (relaxed build)
//   i8    no relaxed instruction: operands are widened to 16 bits, sums have 32 bits          (every build)
//
// All three give the same integers. Codes are 0…3, so the relaxed operand that must be below 128 is. The sum
// of a pair is within ±768, or ±512 with codes up to 2. No engine saturates or wraps there, whatever its CPU
// does with larger values.
//
// Form i8 works on the even and the odd bytes of a vector separately, so operands have two parts. The relaxed
// forms use the first part only, and the compiler drops the second.

// Kernels load constants once per call: V8 rebuilds a v128 constant at every use in a loop (three micro-ops).
const CODE_MASKS = memory.data<u8>([
  3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0, 3, 0,
]);

const PAIR_ONES = memory.data<u16>([1, 1, 1, 1, 1, 1, 1, 1]);

/** Bytes of a block of 128 weights, two bits each. */
// @ts-ignore: decorator
@inline
export const BLOCK_BYTES: usize = 32;
/** Bytes of the 128 activations for a block. */
// @ts-ignore: decorator
@inline
export const BLOCK_COLS: usize = 128;

/**
 * Blocks of 128 weights (codes 0…2) after which 16-bit sums are flushed. Each half of a block has sums of its
 * own and adds 4 pair sums to a lane: 15 · 4 · 512 = 30720 < 2¹⁵.
 */
// @ts-ignore: decorator
@inline
export const FLUSH_BLOCKS: usize = 15;

/** Whether this form has 16-bit sums. */
// @ts-ignore: decorator
@inline
export function hasSums16<F>(): bool {
  return sizeof<F>() == 2;
}

/** The mask of a two-bit code in every lane of this form. */
// @ts-ignore: decorator
@inline
export function codeMask<F>(): v128 {
  return v128.load(CODE_MASKS + (sizeof<F>() == 1 ? 16 : 0));
}

/** Ones: a dot product with them adds up pairs of 16-bit lanes. */
// @ts-ignore: decorator
@inline
export function pairMask(): v128 {
  return v128.load(PAIR_ONES);
}

/** First part of 16 signed bytes: all of them, or the even ones widened. */
// @ts-ignore: decorator
@inline
export function first<F>(x: v128): v128 {
  if (sizeof<F>() == 1) return i16x8.shr_s(i16x8.shl(x, 8), 8);
  return x;
}

/** Second part of 16 signed bytes: the odd ones widened. */
// @ts-ignore: decorator
@inline
export function second<F>(x: v128): v128 {
  return i16x8.shr_s(x, 8);
}

/** First part of the 16 codes at bits shift, shift + 1 of each byte of w. */
// @ts-ignore: decorator
@inline
export function firstCodes<F>(w: v128, shift: i32, mask: v128): v128 {
  return v128.and(shift == 0 ? w : i16x8.shr_u(w, shift), mask);
}

/** Second part of the same. */
// @ts-ignore: decorator
@inline
export function secondCodes<F>(w: v128, shift: i32, mask: v128): v128 {
  return v128.and(i16x8.shr_u(w, shift + 8), mask);
}

/** sums + Σ x·code over the 16 products of two vectors in parts a and b. */
// @ts-ignore: decorator
@inline
export function addDot<F>(sums: v128, xa: v128, xb: v128, ca: v128, cb: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (sizeof<F>() == 4) return i32x4.relaxed_dot_i8x16_i7x16_add_s(xa, ca, sums);
    if (sizeof<F>() == 2) return i16x8.add(sums, v128.relaxed_dot<i16>(xa, ca));
  }
  return i32x4.add(sums, i32x4.add(i32x4.dot_i16x8_s(xa, ca), i32x4.dot_i16x8_s(xb, cb)));
}

/** Σ x·code over the 16 products of two vectors in parts: the start of sums for addDot. */
// @ts-ignore: decorator
@inline
export function dot<F>(xa: v128, xb: v128, ca: v128, cb: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (sizeof<F>() == 4) return i32x4.relaxed_dot_i8x16_i7x16_add_s(xa, ca, i32x4.splat(0));
    if (sizeof<F>() == 2) return v128.relaxed_dot<i16>(xa, ca);
  }
  return i32x4.add(i32x4.dot_i16x8_s(xa, ca), i32x4.dot_i16x8_s(xb, cb));
}

/**
 * A block's first addDot. In form i32 it does not begin with the sums so far: the instruction takes four
 * cycles, and a chain of all of them made the tiles wait.
 */
// @ts-ignore: decorator
@inline
export function startDot<F>(sums: v128, xa: v128, xb: v128, ca: v128, cb: v128): v128 {
  return sizeof<F>() == 4 ? dot<F>(xa, xb, ca, cb) : addDot<F>(sums, xa, xb, ca, cb);
}

/** The sums so far, and those of a block that began with startDot. */
// @ts-ignore: decorator
@inline
export function endDot<F>(sums: v128, block: v128): v128 {
  return sizeof<F>() == 4 ? i32x4.add(sums, block) : block;
}

/** total + the 16-bit sums, widened to 32 bits. */
// @ts-ignore: decorator
@inline
export function flush(total: v128, sums16: v128): v128 {
  return i32x4.add(total, i32x4.extadd_pairwise_i16x8_s(sums16));
}
