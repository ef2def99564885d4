// The parts that all tiles of affine panels share (kernels/matmul-affine has the layout).
//
// A step is four columns. A dot product takes four activations of −127…127 and four codes of 0…63, or of
// 0…15 if they are halves of a byte. `narrow` says that codes are below 16. Then form i16 keeps a whole group
// in 16 bits: 16 of its terms are within ±16 · 127 · 15 = ±30480. Larger codes are widened after two steps:
// four terms are within ±4 · 127 · 63 = ±32004.

import { first, second } from "../simd/dot";

const NIBBLES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]);

/** The mask of four bits in every byte. V8 rebuilds a v128 constant at every use in a loop. */
// @ts-ignore: decorator
@inline
export function nibbleMask(): v128 {
  return v128.load(NIBBLES);
}

const BIASES = memory.data<u32>([0x4b400000, 0x4b400000, 0x4b400000, 0x4b400000]);

/**
 * The bits of the f32 1.5 · 2²³. Plus an integer within ±2²², they are the bits of 1.5 · 2²³ plus the
 * integer. Sums start there, so a subtraction makes them floats, exactly. A conversion competes with the dot
 * products for the same ports of the CPU.
 */
// @ts-ignore: decorator
@inline
export function floatBias(): v128 {
  return v128.load(BIASES);
}

/**
 * The start of a group's sum. Codes with a minimum are as in the file. Others are 2 ** shift too large. The
 * record has the negative sum of the activations, which corrects that.
 */
// @ts-ignore: decorator
@inline
export function start(minima: bool, group: usize, shift: i32, record: usize, bias: v128): v128 {
  if (minima) return bias;
  return i32x4.add(bias, i32x4.shl(v128.load32_splat(record + (group == 32 ? 28 : 8)), shift));
}

/** Whether sums of form F have 16 bits until the group's end. */
// @ts-ignore: decorator
@inline
function has16Bits<F>(narrow: bool): bool {
  return ASC_FEATURE_RELAXED_SIMD && sizeof<F>() == 2 && narrow;
}

/** The first value of sums that begin at `start`: itself, or zeros if it is added at the end. */
// @ts-ignore: decorator
@inline
export function firstSum<F>(narrow: bool, start: v128): v128 {
  return has16Bits<F>(narrow) ? i32x4.splat(0) : start;
}

/** Sums in 32 bits. */
// @ts-ignore: decorator
@inline
export function widened<F>(narrow: bool, sums: v128): v128 {
  return has16Bits<F>(narrow) ? i32x4.extadd_pairwise_i16x8_s(sums) : sums;
}

/** The sums of a group that begin at `start`. */
// @ts-ignore: decorator
@inline
export function total<F>(narrow: bool, sums: v128, start: v128): v128 {
  return has16Bits<F>(narrow) ? i32x4.add(start, i32x4.extadd_pairwise_i16x8_s(sums)) : sums;
}

/**
 * sums + Σ x·code over two steps: lane r has row r. x0 and x1 hold four activations four times. c0 and c1
 * hold four codes of each of four rows.
 */
// @ts-ignore: decorator
@inline
export function addSteps<F>(narrow: bool, sums: v128, x0: v128, x1: v128, c0: v128, c1: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (sizeof<F>() == 4)
      return i32x4.relaxed_dot_i8x16_i7x16_add_s(x1, c1, i32x4.relaxed_dot_i8x16_i7x16_add_s(x0, c0, sums));
    if (sizeof<F>() == 2) {
      const pairs = i16x8.add(v128.relaxed_dot<i16>(x0, c0), v128.relaxed_dot<i16>(x1, c1));
      return narrow ? i16x8.add(sums, pairs) : i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(pairs));
    }
  }
  return i32x4.add(sums, i32x4.add(dotBytes(x0, c0), dotBytes(x1, c1)));
}

/** Σ x·code of four bytes a lane: x signed, codes unsigned. */
// @ts-ignore: decorator
@inline
function dotBytes(x: v128, codes: v128): v128 {
  const evens = i16x8.shr_u(i16x8.shl(codes, 8), 8);
  const odds = i16x8.shr_u(codes, 8);
  return i32x4.add(i32x4.dot_i16x8_s(first<i8>(x), evens), i32x4.dot_i16x8_s(second<i8>(x), odds));
}

/** y + (scales · d) · sums */
// @ts-ignore: decorator
@inline
export function addGroup(y: v128, scales: v128, d: v128, sums: v128): v128 {
  return f32x4.add(y, f32x4.mul(f32x4.mul(scales, d), sums));
}
