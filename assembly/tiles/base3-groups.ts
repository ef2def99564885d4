// Shared parts of the tiles of base-3 groups (generated/base3-group-tiles). They work as those of
// tiles/ternary-groups, with the same sums and the same order of additions. A group of 128 weights is four
// planes of a block, so four blocks of five planes are five groups. Scales are halves, one per 256 weights.

import { IEEE_HALF_UNIT } from "../simd/half";

/**
 * scales[g] = the half of group g as f32, for `count` groups, filled up with zeros to a multiple of four.
 * `halves` is the half of the first group; its index is even.
 */
// @ts-ignore: decorator
@inline
export function widenScales(halves: usize, count: usize, scales: usize): void {
  let g: usize = 0;
  for (; g < count; g += 2) {
    const bits = <u32>load<u16>(halves + g);
    const scale = reinterpret<f32>(((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13)) * IEEE_HALF_UNIT;
    store<f32>(scales + (g << 2), scale);
    store<f32>(scales + (g << 2), scale, 4);
  }
  if (g & 2) store<u64>(scales + (g << 2), 0);
}
