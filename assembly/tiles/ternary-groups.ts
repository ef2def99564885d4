// Tiles of ternary weights in groups, each with a scale of its own, × int8 activations in groups of the same size.
//
// Long lists: registers have names and no index, so each tile is written out.
//
// Layout "ternary-groups": codes as in ternary-rows (ternary-tiles), rows filled up with zero weights to whole blocks of 128,
// and apart from them an f32 scale per group of 64 or 128 weights, rows filled up with zeros to whole vectors. Codes are
// 0…3: code 3, which only Q2_0 knows, is twice the scale.
//
// A scale per group costs a conversion, a product and a sum for every group of every row and token, in place of one for the
// whole row. Done as soon as a group's sum is known they would take a third of the time, most of it to add up lanes. So integer
// sums of up to 32 groups go to a scratch of a few kilobytes first, 32 bytes each, and are then added up, scaled and
// accumulated four groups at a time (docs/KERNELS.md).
//
// As in ternary-tiles, the two halves of a block have sums of their own, next to each other in the scratch, which V8's
// revectorizer pairs, and rows that are walked together lie far apart. They are three and not four: scales are streams, too.

import { hasSums16 } from "../simd/dot";
import { sumLanesF32 } from "../simd/lanes";

/** Bytes of a group's integer sums: eight of 32 bits, or sixteen of 16. */
// @ts-ignore: decorator
@inline
export const SUM_BYTES: usize = 32;
/** Groups whose sums are kept before they are scaled: a multiple of four, and even. */
// @ts-ignore: decorator
@inline
export const CHUNK_GROUPS: usize = 32;
/** Bytes of their sums, for one row and token. */
// @ts-ignore: decorator
@inline
export const CHUNK_BYTES: usize = 1024;

/** Bytes of a row of f32 or i32, one for each group, in whole vectors. */
// @ts-ignore: decorator
@inline
export function groupBytes(groups: usize): usize {
  return ((groups + 3) & ~3) << 2;
}

/** Lane by lane, in sums as wide as the form has them. */
// @ts-ignore: decorator
@inline
function add<F>(a: v128, b: v128): v128 {
  return hasSums16<F>() ? i16x8.add(a, b) : i32x4.add(a, b);
}

/**
 * total + (c · s) · (Σ code·x − Σ x) for four groups a step, group g in lane g mod 4. `values` has the activations' scales s
 * and, after them, their sums Σ x. Of the last four groups some may be none: their scales are zero, and their sums in the
 * scratch are whatever was there.
 *
 * Sixteen-bit sums hold until the last addition, which is one of 32 bits: 64 weights make at most 64 · 3 · 128 = 24576.
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

/** y = (the sum of the lanes) · d, added to y if asked. */
// @ts-ignore: decorator
@inline
export function finish(y: usize, total: v128, scale: f32, accumulate: bool): void {
  const value = sumLanesF32(total) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}
