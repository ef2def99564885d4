// Shared parts of the tiles of ternary groups (generated/ternary-group-tiles). docs/KERNELS.md has the layout
// "ternary-groups".
//
// A scale per group costs a conversion, a multiplication and an addition for each group of each row and
// token. A scale per row costs them once. Done group by group, they would take a third of the time, mostly to
// add up lanes. So a tile of R rows × T tokens works in chunks of 32 groups:
//
//   for each chunk:
//     for each group:            sums[r, t, group] = Σ code·x in integers, 32 bytes in the scratch
//     for each row and token:    total[r, t] += (c · s) · (sums − Σ x), four groups at a time
//   y[t, r] = total[r, t] · d
//
// As in ternary rows, the halves of a block have sums of their own, next to each other, for the revectorizer,
// and rows of a tile are streams. They are three and not four, because their scales are streams too.

import { hasSums16 } from "../simd/dot";
import { sumLanesF32 } from "../simd/lanes";

/** Bytes of a group's integer sums: eight of 32 bits, or sixteen of 16 bits. */
// @ts-ignore: decorator
@inline
export const SUM_BYTES: usize = 32;
/** Groups of a chunk: a multiple of four, and even. */
// @ts-ignore: decorator
@inline
export const CHUNK_GROUPS: usize = 32;
/** Bytes of the sums of a chunk, for one row and token. */
// @ts-ignore: decorator
@inline
export const CHUNK_BYTES: usize = 1024;

/** Bytes of a row of f32 or i32, one per group, in whole vectors. */
// @ts-ignore: decorator
@inline
export function groupBytes(groups: usize): usize {
  return ((groups + 3) & ~3) << 2;
}

/** a + b lane by lane, in lanes as wide as the sums of form F. */
// @ts-ignore: decorator
@inline
function add<F>(a: v128, b: v128): v128 {
  return hasSums16<F>() ? i16x8.add(a, b) : i32x4.add(a, b);
}

/**
 * total + (c · s) · (Σ code·x − Σ x) for `count` groups, four a step, group g in lane g mod 4.
 *
 * sums [count] of SUM_BYTES · scales [count] f32: c · values: s [groups] f32 and, valueBytes further, Σ x
 * [groups] i32. The last step may reach past the last group: scales are zero there, and the scratch may hold
 * anything.
 *
 * Sums of 16 bits hold until the last addition, which is one of 32 bits: 64 weights make at most 64 · 3 · 128
 * = 24576.
 */
// @ts-ignore: decorator
@inline
export function addScaled<F>(
  total: v128,
  sums: usize,
  count: usize,
  scales: usize,
  values: usize,
  valueBytes: usize,
  ones: v128,
): v128 {
  const end = scales + (count << 2);
  while (scales < end) {
    const a = add<F>(v128.load(sums), v128.load(sums, 16));
    const b = add<F>(v128.load(sums, 32), v128.load(sums, 48));
    const c = add<F>(v128.load(sums, 64), v128.load(sums, 80));
    const d = add<F>(v128.load(sums, 96), v128.load(sums, 112));
    const ab = add<F>(i64x2.shuffle(a, b, 0, 2), i64x2.shuffle(a, b, 1, 3));
    const cd = add<F>(i64x2.shuffle(c, d, 0, 2), i64x2.shuffle(c, d, 1, 3));
    const abcd = add<F>(i32x4.shuffle(ab, cd, 0, 2, 4, 6), i32x4.shuffle(ab, cd, 1, 3, 5, 7));
    const sum = i32x4.sub(
      hasSums16<F>() ? i32x4.dot_i16x8_s(abcd, ones) : abcd,
      v128.load(values + valueBytes),
    );
    const scale = f32x4.mul(v128.load(scales), v128.load(values));
    total = f32x4.add(total, f32x4.mul(scale, f32x4.convert_i32x4_s(sum)));
    sums += 4 * SUM_BYTES;
    scales += 16;
    values += 16;
  }
  return total;
}

/** y = scale · the sum of the lanes of `total`; added to y if `accumulate`. */
// @ts-ignore: decorator
@inline
export function finish(y: usize, total: v128, scale: f32, accumulate: bool): void {
  const value = sumLanesF32(total) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}
