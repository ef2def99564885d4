// Shared parts of int8 keys and values (kernels/store-heads-int8, kernels/attention-int8).

import { horizontalMax, larger } from "../simd/lanes";

/** Elements of a head that share a scale, in keys and queries. The last group may be shorter. */
// @ts-ignore: decorator
@inline
export const GROUP: usize = 32;

/** Positions of a block of keys. */
// @ts-ignore: decorator
@inline
export const KEY_BLOCK: usize = 16;

/**
 * Positions of a block of values: 16 KiB of heads of 128, and sixteen columns of it are 2 KiB. Blocks of 64
 * took 4 % more time for the whole of attention.
 */
// @ts-ignore: decorator
@inline
export const VALUE_BLOCK: usize = 128;

/** Codes of keys are stored with this offset, so that they are 1 … 127. */
// @ts-ignore: decorator
@inline
export const KEY_OFFSET: i32 = 64;

/** The smallest maximum that numbers are scaled by. Numbers far below it round to zero. */
// @ts-ignore: decorator
@inline
export const SCALE_FLOOR: f32 = 1e-30;

/** Groups of a head. */
// @ts-ignore: decorator
@inline
export function groupsOf(headSize: usize): usize {
  return (headSize + GROUP - 1) / GROUP;
}

/** maxₖ |x[k]| of `size` elements, a multiple of eight. NaN if any is. */
// @ts-ignore: decorator
@inline
export function largestOf(x: usize, size: usize): f32 {
  let largest = f32x4.splat(0);
  for (const end = x + (size << 2); x < end; x += 32) {
    largest = larger(largest, larger(f32x4.abs(v128.load(x)), f32x4.abs(v128.load(x, 16))));
  }
  return horizontalMax(largest);
}

/** Eight numbers times a factor, rounded to i16, ties to even. */
// @ts-ignore: decorator
@inline
export function roundEight(x: usize, factor: v128): v128 {
  const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
  const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x, 16), factor)));
  return i16x8.narrow_i32x4_s(low, high);
}
