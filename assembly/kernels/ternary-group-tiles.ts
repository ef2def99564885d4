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

import {
  BLOCK_BYTES,
  BLOCK_COLS,
  addDot,
  codeMask,
  dot,
  first,
  firstCodes,
  isNarrow,
  pairMask,
  second,
  secondCodes,
} from "../simd/dot";
import { sumLanesF32 } from "../simd/lanes";

/** Bytes of a group's integer sums: eight of 32 bits, or sixteen of 16. */
// @ts-ignore: decorator
@inline
const SUM_BYTES: usize = 32;
/** Groups whose sums are kept before they are scaled: a multiple of four, and even. */
// @ts-ignore: decorator
@inline
const CHUNK_GROUPS: usize = 32;
/** Bytes of their sums, for one row and token. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 1024;

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
  return isNarrow<F>() ? i16x8.add(a, b) : i32x4.add(a, b);
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
function addScaled<F>(
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
      isNarrow<F>() ? i32x4.dot_i16x8_s(abcd, ones) : abcd,
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
function finish(y: usize, total: v128, scale: f32, accumulate: bool): void {
  const value = sumLanesF32(total) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** One row × one token: what is left over. `halved`: groups are of 64, half a block. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function row1x1<F>(halved: bool, w0: usize, c0: usize, groups: usize, x0: usize, record: usize, y: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
  let y00 = zero;
  for (let group: usize = 0; group < groups; group += CHUNK_GROUPS) {
    const count = min(CHUNK_GROUPS, groups - group);
    const end = scratch + count * SUM_BYTES;
    for (let sums = scratch; sums < end; ) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let s00a = dot<F>(e00a, o00a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let s00b = dot<F>(e00b, o00b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s00a = addDot<F>(s00a, e01a, o01a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s00b = addDot<F>(s00b, e01b, o01b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      if (halved) {
        v128.store(sums, s00a); v128.store(sums, s00b, 16);
        sums += SUM_BYTES;
      }
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s00a = halved ? dot<F>(e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask)) : addDot<F>(s00a, e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s00b = halved ? dot<F>(e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask)) : addDot<F>(s00b, e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s00a = addDot<F>(s00a, e03a, o03a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s00b = addDot<F>(s00b, e03b, o03b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      v128.store(sums, s00a); v128.store(sums, s00b, 16);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
  }
  finish(y, y00, scale, accumulate);
}

/** Three far rows × one token. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function rows3x1<F>(halved: bool, w0: usize, streamBytes: usize, c0: usize, streamScaleBytes: usize, groups: usize, x0: usize, record: usize, y: usize, streamRows: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
  let w1 = w0 + streamBytes, w2 = w1 + streamBytes;
  let y00 = zero, y10 = zero, y20 = zero;
  for (let group: usize = 0; group < groups; group += CHUNK_GROUPS) {
    const count = min(CHUNK_GROUPS, groups - group);
    const end = scratch + count * SUM_BYTES;
    for (let sums = scratch; sums < end; ) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const v2a = v128.load(w2), v2b = v128.load(w2, 16);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let s00a = dot<F>(e00a, o00a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      let s10a = dot<F>(e00a, o00a, firstCodes<F>(v1a, 6, mask), secondCodes<F>(v1a, 6, mask));
      let s20a = dot<F>(e00a, o00a, firstCodes<F>(v2a, 6, mask), secondCodes<F>(v2a, 6, mask));
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let s00b = dot<F>(e00b, o00b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      let s10b = dot<F>(e00b, o00b, firstCodes<F>(v1b, 6, mask), secondCodes<F>(v1b, 6, mask));
      let s20b = dot<F>(e00b, o00b, firstCodes<F>(v2b, 6, mask), secondCodes<F>(v2b, 6, mask));
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s00a = addDot<F>(s00a, e01a, o01a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      s10a = addDot<F>(s10a, e01a, o01a, firstCodes<F>(v1a, 4, mask), secondCodes<F>(v1a, 4, mask));
      s20a = addDot<F>(s20a, e01a, o01a, firstCodes<F>(v2a, 4, mask), secondCodes<F>(v2a, 4, mask));
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s00b = addDot<F>(s00b, e01b, o01b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      s10b = addDot<F>(s10b, e01b, o01b, firstCodes<F>(v1b, 4, mask), secondCodes<F>(v1b, 4, mask));
      s20b = addDot<F>(s20b, e01b, o01b, firstCodes<F>(v2b, 4, mask), secondCodes<F>(v2b, 4, mask));
      if (halved) {
        v128.store(sums, s00a); v128.store(sums, s00b, 16);
        v128.store(sums, s10a, 1024); v128.store(sums, s10b, 1040);
        v128.store(sums, s20a, 2048); v128.store(sums, s20b, 2064);
        sums += SUM_BYTES;
      }
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s00a = halved ? dot<F>(e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask)) : addDot<F>(s00a, e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      s10a = halved ? dot<F>(e02a, o02a, firstCodes<F>(v1a, 2, mask), secondCodes<F>(v1a, 2, mask)) : addDot<F>(s10a, e02a, o02a, firstCodes<F>(v1a, 2, mask), secondCodes<F>(v1a, 2, mask));
      s20a = halved ? dot<F>(e02a, o02a, firstCodes<F>(v2a, 2, mask), secondCodes<F>(v2a, 2, mask)) : addDot<F>(s20a, e02a, o02a, firstCodes<F>(v2a, 2, mask), secondCodes<F>(v2a, 2, mask));
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s00b = halved ? dot<F>(e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask)) : addDot<F>(s00b, e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      s10b = halved ? dot<F>(e02b, o02b, firstCodes<F>(v1b, 2, mask), secondCodes<F>(v1b, 2, mask)) : addDot<F>(s10b, e02b, o02b, firstCodes<F>(v1b, 2, mask), secondCodes<F>(v1b, 2, mask));
      s20b = halved ? dot<F>(e02b, o02b, firstCodes<F>(v2b, 2, mask), secondCodes<F>(v2b, 2, mask)) : addDot<F>(s20b, e02b, o02b, firstCodes<F>(v2b, 2, mask), secondCodes<F>(v2b, 2, mask));
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s00a = addDot<F>(s00a, e03a, o03a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      s10a = addDot<F>(s10a, e03a, o03a, firstCodes<F>(v1a, 0, mask), secondCodes<F>(v1a, 0, mask));
      s20a = addDot<F>(s20a, e03a, o03a, firstCodes<F>(v2a, 0, mask), secondCodes<F>(v2a, 0, mask));
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s00b = addDot<F>(s00b, e03b, o03b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      s10b = addDot<F>(s10b, e03b, o03b, firstCodes<F>(v1b, 0, mask), secondCodes<F>(v1b, 0, mask));
      s20b = addDot<F>(s20b, e03b, o03b, firstCodes<F>(v2b, 0, mask), secondCodes<F>(v2b, 0, mask));
      v128.store(sums, s00a); v128.store(sums, s00b, 16);
      v128.store(sums, s10a, 1024); v128.store(sums, s10b, 1040);
      v128.store(sums, s20a, 2048); v128.store(sums, s20b, 2064);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
    y10 = addScaled<F>(y10, scratch + 1 * CHUNK_BYTES, count, scales + streamScaleBytes, values, valueBytes, ones);
    y20 = addScaled<F>(y20, scratch + 2 * CHUNK_BYTES, count, scales + 2 * streamScaleBytes, values, valueBytes, ones);
  }
  finish(y, y00, scale, accumulate);
  finish(y + streamRows * 4, y10, scale, accumulate);
  finish(y + 2 * streamRows * 4, y20, scale, accumulate);
}

/** Three far rows × two tokens: codes are unpacked once for both. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function rows3x2<F>(halved: bool, w0: usize, streamBytes: usize, c0: usize, streamScaleBytes: usize, groups: usize, x0: usize, xStride: usize, record: usize, y: usize, streamRows: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
  let w1 = w0 + streamBytes, w2 = w1 + streamBytes;
  let x1 = x0 + xStride;
  let y00 = zero, y01 = zero, y10 = zero, y11 = zero, y20 = zero, y21 = zero;
  for (let group: usize = 0; group < groups; group += CHUNK_GROUPS) {
    const count = min(CHUNK_GROUPS, groups - group);
    const end = scratch + count * SUM_BYTES;
    for (let sums = scratch; sums < end; ) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const v2a = v128.load(w2), v2b = v128.load(w2, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const c10a = firstCodes<F>(v1a, 6, mask), d10a = secondCodes<F>(v1a, 6, mask);
      const c20a = firstCodes<F>(v2a, 6, mask), d20a = secondCodes<F>(v2a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let s00a = dot<F>(e00a, o00a, c00a, d00a);
      let s10a = dot<F>(e00a, o00a, c10a, d10a);
      let s20a = dot<F>(e00a, o00a, c20a, d20a);
      const p10a = v128.load(x1, 0), e10a = first<F>(p10a), o10a = second<F>(p10a);
      let s01a = dot<F>(e10a, o10a, c00a, d00a);
      let s11a = dot<F>(e10a, o10a, c10a, d10a);
      let s21a = dot<F>(e10a, o10a, c20a, d20a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const c10b = firstCodes<F>(v1b, 6, mask), d10b = secondCodes<F>(v1b, 6, mask);
      const c20b = firstCodes<F>(v2b, 6, mask), d20b = secondCodes<F>(v2b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let s00b = dot<F>(e00b, o00b, c00b, d00b);
      let s10b = dot<F>(e00b, o00b, c10b, d10b);
      let s20b = dot<F>(e00b, o00b, c20b, d20b);
      const p10b = v128.load(x1, 16), e10b = first<F>(p10b), o10b = second<F>(p10b);
      let s01b = dot<F>(e10b, o10b, c00b, d00b);
      let s11b = dot<F>(e10b, o10b, c10b, d10b);
      let s21b = dot<F>(e10b, o10b, c20b, d20b);
      const c01a = firstCodes<F>(v0a, 4, mask), d01a = secondCodes<F>(v0a, 4, mask);
      const c11a = firstCodes<F>(v1a, 4, mask), d11a = secondCodes<F>(v1a, 4, mask);
      const c21a = firstCodes<F>(v2a, 4, mask), d21a = secondCodes<F>(v2a, 4, mask);
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s00a = addDot<F>(s00a, e01a, o01a, c01a, d01a);
      s10a = addDot<F>(s10a, e01a, o01a, c11a, d11a);
      s20a = addDot<F>(s20a, e01a, o01a, c21a, d21a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      s01a = addDot<F>(s01a, e11a, o11a, c01a, d01a);
      s11a = addDot<F>(s11a, e11a, o11a, c11a, d11a);
      s21a = addDot<F>(s21a, e11a, o11a, c21a, d21a);
      const c01b = firstCodes<F>(v0b, 4, mask), d01b = secondCodes<F>(v0b, 4, mask);
      const c11b = firstCodes<F>(v1b, 4, mask), d11b = secondCodes<F>(v1b, 4, mask);
      const c21b = firstCodes<F>(v2b, 4, mask), d21b = secondCodes<F>(v2b, 4, mask);
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s00b = addDot<F>(s00b, e01b, o01b, c01b, d01b);
      s10b = addDot<F>(s10b, e01b, o01b, c11b, d11b);
      s20b = addDot<F>(s20b, e01b, o01b, c21b, d21b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      s01b = addDot<F>(s01b, e11b, o11b, c01b, d01b);
      s11b = addDot<F>(s11b, e11b, o11b, c11b, d11b);
      s21b = addDot<F>(s21b, e11b, o11b, c21b, d21b);
      if (halved) {
        v128.store(sums, s00a); v128.store(sums, s00b, 16);
        v128.store(sums, s01a, 1024); v128.store(sums, s01b, 1040);
        v128.store(sums, s10a, 2048); v128.store(sums, s10b, 2064);
        v128.store(sums, s11a, 3072); v128.store(sums, s11b, 3088);
        v128.store(sums, s20a, 4096); v128.store(sums, s20b, 4112);
        v128.store(sums, s21a, 5120); v128.store(sums, s21b, 5136);
        sums += SUM_BYTES;
      }
      const c02a = firstCodes<F>(v0a, 2, mask), d02a = secondCodes<F>(v0a, 2, mask);
      const c12a = firstCodes<F>(v1a, 2, mask), d12a = secondCodes<F>(v1a, 2, mask);
      const c22a = firstCodes<F>(v2a, 2, mask), d22a = secondCodes<F>(v2a, 2, mask);
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s00a = halved ? dot<F>(e02a, o02a, c02a, d02a) : addDot<F>(s00a, e02a, o02a, c02a, d02a);
      s10a = halved ? dot<F>(e02a, o02a, c12a, d12a) : addDot<F>(s10a, e02a, o02a, c12a, d12a);
      s20a = halved ? dot<F>(e02a, o02a, c22a, d22a) : addDot<F>(s20a, e02a, o02a, c22a, d22a);
      const p12a = v128.load(x1, 64), e12a = first<F>(p12a), o12a = second<F>(p12a);
      s01a = halved ? dot<F>(e12a, o12a, c02a, d02a) : addDot<F>(s01a, e12a, o12a, c02a, d02a);
      s11a = halved ? dot<F>(e12a, o12a, c12a, d12a) : addDot<F>(s11a, e12a, o12a, c12a, d12a);
      s21a = halved ? dot<F>(e12a, o12a, c22a, d22a) : addDot<F>(s21a, e12a, o12a, c22a, d22a);
      const c02b = firstCodes<F>(v0b, 2, mask), d02b = secondCodes<F>(v0b, 2, mask);
      const c12b = firstCodes<F>(v1b, 2, mask), d12b = secondCodes<F>(v1b, 2, mask);
      const c22b = firstCodes<F>(v2b, 2, mask), d22b = secondCodes<F>(v2b, 2, mask);
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s00b = halved ? dot<F>(e02b, o02b, c02b, d02b) : addDot<F>(s00b, e02b, o02b, c02b, d02b);
      s10b = halved ? dot<F>(e02b, o02b, c12b, d12b) : addDot<F>(s10b, e02b, o02b, c12b, d12b);
      s20b = halved ? dot<F>(e02b, o02b, c22b, d22b) : addDot<F>(s20b, e02b, o02b, c22b, d22b);
      const p12b = v128.load(x1, 80), e12b = first<F>(p12b), o12b = second<F>(p12b);
      s01b = halved ? dot<F>(e12b, o12b, c02b, d02b) : addDot<F>(s01b, e12b, o12b, c02b, d02b);
      s11b = halved ? dot<F>(e12b, o12b, c12b, d12b) : addDot<F>(s11b, e12b, o12b, c12b, d12b);
      s21b = halved ? dot<F>(e12b, o12b, c22b, d22b) : addDot<F>(s21b, e12b, o12b, c22b, d22b);
      const c03a = firstCodes<F>(v0a, 0, mask), d03a = secondCodes<F>(v0a, 0, mask);
      const c13a = firstCodes<F>(v1a, 0, mask), d13a = secondCodes<F>(v1a, 0, mask);
      const c23a = firstCodes<F>(v2a, 0, mask), d23a = secondCodes<F>(v2a, 0, mask);
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s00a = addDot<F>(s00a, e03a, o03a, c03a, d03a);
      s10a = addDot<F>(s10a, e03a, o03a, c13a, d13a);
      s20a = addDot<F>(s20a, e03a, o03a, c23a, d23a);
      const p13a = v128.load(x1, 96), e13a = first<F>(p13a), o13a = second<F>(p13a);
      s01a = addDot<F>(s01a, e13a, o13a, c03a, d03a);
      s11a = addDot<F>(s11a, e13a, o13a, c13a, d13a);
      s21a = addDot<F>(s21a, e13a, o13a, c23a, d23a);
      const c03b = firstCodes<F>(v0b, 0, mask), d03b = secondCodes<F>(v0b, 0, mask);
      const c13b = firstCodes<F>(v1b, 0, mask), d13b = secondCodes<F>(v1b, 0, mask);
      const c23b = firstCodes<F>(v2b, 0, mask), d23b = secondCodes<F>(v2b, 0, mask);
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s00b = addDot<F>(s00b, e03b, o03b, c03b, d03b);
      s10b = addDot<F>(s10b, e03b, o03b, c13b, d13b);
      s20b = addDot<F>(s20b, e03b, o03b, c23b, d23b);
      const p13b = v128.load(x1, 112), e13b = first<F>(p13b), o13b = second<F>(p13b);
      s01b = addDot<F>(s01b, e13b, o13b, c03b, d03b);
      s11b = addDot<F>(s11b, e13b, o13b, c13b, d13b);
      s21b = addDot<F>(s21b, e13b, o13b, c23b, d23b);
      v128.store(sums, s00a); v128.store(sums, s00b, 16);
      v128.store(sums, s01a, 1024); v128.store(sums, s01b, 1040);
      v128.store(sums, s10a, 2048); v128.store(sums, s10b, 2064);
      v128.store(sums, s11a, 3072); v128.store(sums, s11b, 3088);
      v128.store(sums, s20a, 4096); v128.store(sums, s20b, 4112);
      v128.store(sums, s21a, 5120); v128.store(sums, s21b, 5136);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
    y01 = addScaled<F>(y01, scratch + 1 * CHUNK_BYTES, count, scales, values + (valueBytes << 1), valueBytes, ones);
    y10 = addScaled<F>(y10, scratch + 2 * CHUNK_BYTES, count, scales + streamScaleBytes, values, valueBytes, ones);
    y11 = addScaled<F>(y11, scratch + 3 * CHUNK_BYTES, count, scales + streamScaleBytes, values + (valueBytes << 1), valueBytes, ones);
    y20 = addScaled<F>(y20, scratch + 4 * CHUNK_BYTES, count, scales + 2 * streamScaleBytes, values, valueBytes, ones);
    y21 = addScaled<F>(y21, scratch + 5 * CHUNK_BYTES, count, scales + 2 * streamScaleBytes, values + (valueBytes << 1), valueBytes, ones);
  }
  finish(y, y00, scale, accumulate);
  finish(y + yStride, y01, scale, accumulate);
  finish(y + streamRows * 4, y10, scale, accumulate);
  finish(y + streamRows * 4 + yStride, y11, scale, accumulate);
  finish(y + 2 * streamRows * 4, y20, scale, accumulate);
  finish(y + 2 * streamRows * 4 + yStride, y21, scale, accumulate);
}
