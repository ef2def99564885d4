// Made by scripts/tiles.mjs. Do not edit.

import { BLOCK_BYTES, BLOCK_COLS, addDot, codeMask, dot, first, firstCodes, pairMask, second, secondCodes } from "../simd/dot";
import { CHUNK_BYTES, CHUNK_GROUPS, SUM_BYTES, addScaled, finish, groupBytes } from "../tiles/ternary-groups";

/** Rows and tokens of the tiles. */
// @ts-ignore: decorator
@inline
export const DECODE_ROWS: usize = 3;
// @ts-ignore: decorator
@inline
export const PREFILL_ROWS: usize = 3;
// @ts-ignore: decorator
@inline
export const PREFILL_TOKENS: usize = 2;

/** 3 × 1. `halved`: groups are of 64, half a block. */
// @ts-ignore: decorator
@inline
export function decodeTile<F>(halved: bool, w0: usize, streamBytes: usize, c0: usize, streamScaleBytes: usize, groups: usize, x0: usize, record: usize, y: usize, streamRows: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
  let w1 = w0 + streamBytes, w2 = w1 + streamBytes;
  let y00 = zero;
  let y10 = zero;
  let y20 = zero;
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
        v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
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
      v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
      v128.store(sums, s10a, 1024); v128.store(sums, s10b, 1040);
      v128.store(sums, s20a, 2048); v128.store(sums, s20b, 2064);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
    y10 = addScaled<F>(y10, scratch + CHUNK_BYTES, count, scales + streamScaleBytes, values, valueBytes, ones);
    y20 = addScaled<F>(y20, scratch + 2 * CHUNK_BYTES, count, scales + 2 * streamScaleBytes, values, valueBytes, ones);
  }
  finish(y, y00, scale, accumulate);
  finish(y + streamRows * 4, y10, scale, accumulate);
  finish(y + 2 * streamRows * 4, y20, scale, accumulate);
}

/** 1 × 1. `halved`: groups are of 64, half a block. */
// @ts-ignore: decorator
@inline
export function decodeRow<F>(halved: bool, w0: usize, c0: usize, groups: usize, x0: usize, record: usize, y: usize, scratch: usize, scale: f32, accumulate: bool): void {
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
        v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
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
      v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
  }
  finish(y, y00, scale, accumulate);
}

/** 3 × 2. `halved`: groups are of 64, half a block. */
// @ts-ignore: decorator
@inline
export function prefillTile<F>(halved: bool, w0: usize, streamBytes: usize, c0: usize, streamScaleBytes: usize, groups: usize, x0: usize, xStride: usize, record: usize, y: usize, streamRows: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), ones = pairMask(), valueBytes = groupBytes(groups), zero = f32x4.splat(0);
  let w1 = w0 + streamBytes, w2 = w1 + streamBytes;
  let x1 = x0 + xStride;
  let y00 = zero;
  let y01 = zero;
  let y10 = zero;
  let y11 = zero;
  let y20 = zero;
  let y21 = zero;
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
        v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
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
      v128.store(sums, s00a, 0); v128.store(sums, s00b, 16);
      v128.store(sums, s01a, 1024); v128.store(sums, s01b, 1040);
      v128.store(sums, s10a, 2048); v128.store(sums, s10b, 2064);
      v128.store(sums, s11a, 3072); v128.store(sums, s11b, 3088);
      v128.store(sums, s20a, 4096); v128.store(sums, s20b, 4112);
      v128.store(sums, s21a, 5120); v128.store(sums, s21b, 5136);
      sums += SUM_BYTES; w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS;
    }
    const scales = c0 + (group << 2), values = record + (group << 2);
    y00 = addScaled<F>(y00, scratch, count, scales, values, valueBytes, ones);
    y01 = addScaled<F>(y01, scratch + CHUNK_BYTES, count, scales, values + (valueBytes << 1), valueBytes, ones);
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
