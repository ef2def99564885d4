// Made by scripts/tiles.mjs. Do not edit.

import { BLOCK_BYTES, BLOCK_COLS, FLUSH_BLOCKS, addDot, codeMask, endDot, first, firstCodes, flush, hasSums16, second, secondCodes, startDot } from "../simd/dot";
import { RECORD_BYTES, addTotals, finish, finishFour } from "../tiles/ternary-rows";

/** Rows and tokens of the tiles. */
// @ts-ignore: decorator
@inline
export const DECODE_ROWS: usize = 4;
// @ts-ignore: decorator
@inline
export const PREFILL_ROWS: usize = 2;
// @ts-ignore: decorator
@inline
export const PREFILL_TOKENS: usize = 4;

/** Rows of a chunk of the wide tiles, and the bytes of their sums in scratch before totals. */
// @ts-ignore: decorator
@inline
export const WIDE_ROWS: usize = 256;
// @ts-ignore: decorator
@inline
export const WIDE_SUMS_BYTES: usize = 128;

/** 4 × 1. */
// @ts-ignore: decorator
@inline
export function decodeTile<F>(w0: usize, w1: usize, w2: usize, w3: usize, blocks: usize, x0: usize, record: usize, y0: usize, y1: usize, y2: usize, y3: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);

  let t00a = zero;
  let t00b = zero;
  let t10a = zero;
  let t10b = zero;
  let t20a = zero;
  let t20b = zero;
  let t30a = zero;
  let t30b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s10a = hasSums16<F>() ? zero : t10a;
    let s10b = hasSums16<F>() ? zero : t10b;
    let s20a = hasSums16<F>() ? zero : t20a;
    let s20b = hasSums16<F>() ? zero : t20b;
    let s30a = hasSums16<F>() ? zero : t30a;
    let s30b = hasSums16<F>() ? zero : t30b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const v2a = v128.load(w2), v2b = v128.load(w2, 16);
      const v3a = v128.load(w3), v3b = v128.load(w3, 16);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let q00a = startDot<F>(s00a, e00a, o00a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      let q10a = startDot<F>(s10a, e00a, o00a, firstCodes<F>(v1a, 6, mask), secondCodes<F>(v1a, 6, mask));
      let q20a = startDot<F>(s20a, e00a, o00a, firstCodes<F>(v2a, 6, mask), secondCodes<F>(v2a, 6, mask));
      let q30a = startDot<F>(s30a, e00a, o00a, firstCodes<F>(v3a, 6, mask), secondCodes<F>(v3a, 6, mask));
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let q00b = startDot<F>(s00b, e00b, o00b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      let q10b = startDot<F>(s10b, e00b, o00b, firstCodes<F>(v1b, 6, mask), secondCodes<F>(v1b, 6, mask));
      let q20b = startDot<F>(s20b, e00b, o00b, firstCodes<F>(v2b, 6, mask), secondCodes<F>(v2b, 6, mask));
      let q30b = startDot<F>(s30b, e00b, o00b, firstCodes<F>(v3b, 6, mask), secondCodes<F>(v3b, 6, mask));
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      q00a = addDot<F>(q00a, e01a, o01a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      q10a = addDot<F>(q10a, e01a, o01a, firstCodes<F>(v1a, 4, mask), secondCodes<F>(v1a, 4, mask));
      q20a = addDot<F>(q20a, e01a, o01a, firstCodes<F>(v2a, 4, mask), secondCodes<F>(v2a, 4, mask));
      q30a = addDot<F>(q30a, e01a, o01a, firstCodes<F>(v3a, 4, mask), secondCodes<F>(v3a, 4, mask));
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      q00b = addDot<F>(q00b, e01b, o01b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      q10b = addDot<F>(q10b, e01b, o01b, firstCodes<F>(v1b, 4, mask), secondCodes<F>(v1b, 4, mask));
      q20b = addDot<F>(q20b, e01b, o01b, firstCodes<F>(v2b, 4, mask), secondCodes<F>(v2b, 4, mask));
      q30b = addDot<F>(q30b, e01b, o01b, firstCodes<F>(v3b, 4, mask), secondCodes<F>(v3b, 4, mask));
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      q00a = addDot<F>(q00a, e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      q10a = addDot<F>(q10a, e02a, o02a, firstCodes<F>(v1a, 2, mask), secondCodes<F>(v1a, 2, mask));
      q20a = addDot<F>(q20a, e02a, o02a, firstCodes<F>(v2a, 2, mask), secondCodes<F>(v2a, 2, mask));
      q30a = addDot<F>(q30a, e02a, o02a, firstCodes<F>(v3a, 2, mask), secondCodes<F>(v3a, 2, mask));
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      q00b = addDot<F>(q00b, e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      q10b = addDot<F>(q10b, e02b, o02b, firstCodes<F>(v1b, 2, mask), secondCodes<F>(v1b, 2, mask));
      q20b = addDot<F>(q20b, e02b, o02b, firstCodes<F>(v2b, 2, mask), secondCodes<F>(v2b, 2, mask));
      q30b = addDot<F>(q30b, e02b, o02b, firstCodes<F>(v3b, 2, mask), secondCodes<F>(v3b, 2, mask));
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      q00a = addDot<F>(q00a, e03a, o03a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      q10a = addDot<F>(q10a, e03a, o03a, firstCodes<F>(v1a, 0, mask), secondCodes<F>(v1a, 0, mask));
      q20a = addDot<F>(q20a, e03a, o03a, firstCodes<F>(v2a, 0, mask), secondCodes<F>(v2a, 0, mask));
      q30a = addDot<F>(q30a, e03a, o03a, firstCodes<F>(v3a, 0, mask), secondCodes<F>(v3a, 0, mask));
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      q00b = addDot<F>(q00b, e03b, o03b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      q10b = addDot<F>(q10b, e03b, o03b, firstCodes<F>(v1b, 0, mask), secondCodes<F>(v1b, 0, mask));
      q20b = addDot<F>(q20b, e03b, o03b, firstCodes<F>(v2b, 0, mask), secondCodes<F>(v2b, 0, mask));
      q30b = addDot<F>(q30b, e03b, o03b, firstCodes<F>(v3b, 0, mask), secondCodes<F>(v3b, 0, mask));
      s00a = endDot<F>(s00a, q00a);
      s00b = endDot<F>(s00b, q00b);
      s10a = endDot<F>(s10a, q10a);
      s10b = endDot<F>(s10b, q10b);
      s20a = endDot<F>(s20a, q20a);
      s20b = endDot<F>(s20b, q20b);
      s30a = endDot<F>(s30a, q30a);
      s30b = endDot<F>(s30b, q30b);
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; w3 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t10a = hasSums16<F>() ? flush(t10a, s10a) : s10a;
    t10b = hasSums16<F>() ? flush(t10b, s10b) : s10b;
    t20a = hasSums16<F>() ? flush(t20a, s20a) : s20a;
    t20b = hasSums16<F>() ? flush(t20b, s20b) : s20b;
    t30a = hasSums16<F>() ? flush(t30a, s30a) : s30a;
    t30b = hasSums16<F>() ? flush(t30b, s30b) : s30b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t10a, 32);
  v128.store(scratch, t10b, 48);
  v128.store(scratch, t20a, 64);
  v128.store(scratch, t20b, 80);
  v128.store(scratch, t30a, 96);
  v128.store(scratch, t30b, 112);
  finish(y0, scratch, record, scale, accumulate);
  finish(y1, scratch + 32, record, scale, accumulate);
  finish(y2, scratch + 64, record, scale, accumulate);
  finish(y3, scratch + 96, record, scale, accumulate);
}

/** 1 × 1. */
// @ts-ignore: decorator
@inline
export function decodeRow<F>(w0: usize, blocks: usize, x0: usize, record: usize, y0: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);

  let t00a = zero;
  let t00b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let q00a = startDot<F>(s00a, e00a, o00a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let q00b = startDot<F>(s00b, e00b, o00b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      q00a = addDot<F>(q00a, e01a, o01a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      q00b = addDot<F>(q00b, e01b, o01b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      q00a = addDot<F>(q00a, e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      q00b = addDot<F>(q00b, e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      q00a = addDot<F>(q00a, e03a, o03a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      q00b = addDot<F>(q00b, e03b, o03b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      s00a = endDot<F>(s00a, q00a);
      s00b = endDot<F>(s00b, q00b);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  finish(y0, scratch, record, scale, accumulate);
}

/** 2 × 4. */
// @ts-ignore: decorator
@inline
export function prefillTile<F>(w0: usize, streamBytes: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, streamRows: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let w1 = w0 + streamBytes;
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let t00a = zero;
  let t00b = zero;
  let t01a = zero;
  let t01b = zero;
  let t02a = zero;
  let t02b = zero;
  let t03a = zero;
  let t03b = zero;
  let t10a = zero;
  let t10b = zero;
  let t11a = zero;
  let t11b = zero;
  let t12a = zero;
  let t12b = zero;
  let t13a = zero;
  let t13b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s01a = hasSums16<F>() ? zero : t01a;
    let s01b = hasSums16<F>() ? zero : t01b;
    let s02a = hasSums16<F>() ? zero : t02a;
    let s02b = hasSums16<F>() ? zero : t02b;
    let s03a = hasSums16<F>() ? zero : t03a;
    let s03b = hasSums16<F>() ? zero : t03b;
    let s10a = hasSums16<F>() ? zero : t10a;
    let s10b = hasSums16<F>() ? zero : t10b;
    let s11a = hasSums16<F>() ? zero : t11a;
    let s11b = hasSums16<F>() ? zero : t11b;
    let s12a = hasSums16<F>() ? zero : t12a;
    let s12b = hasSums16<F>() ? zero : t12b;
    let s13a = hasSums16<F>() ? zero : t13a;
    let s13b = hasSums16<F>() ? zero : t13b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const c10a = firstCodes<F>(v1a, 6, mask), d10a = secondCodes<F>(v1a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      s00a = addDot<F>(s00a, e00a, o00a, c00a, d00a);
      s10a = addDot<F>(s10a, e00a, o00a, c10a, d10a);
      const p10a = v128.load(x1, 0), e10a = first<F>(p10a), o10a = second<F>(p10a);
      s01a = addDot<F>(s01a, e10a, o10a, c00a, d00a);
      s11a = addDot<F>(s11a, e10a, o10a, c10a, d10a);
      const p20a = v128.load(x2, 0), e20a = first<F>(p20a), o20a = second<F>(p20a);
      s02a = addDot<F>(s02a, e20a, o20a, c00a, d00a);
      s12a = addDot<F>(s12a, e20a, o20a, c10a, d10a);
      const p30a = v128.load(x3, 0), e30a = first<F>(p30a), o30a = second<F>(p30a);
      s03a = addDot<F>(s03a, e30a, o30a, c00a, d00a);
      s13a = addDot<F>(s13a, e30a, o30a, c10a, d10a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const c10b = firstCodes<F>(v1b, 6, mask), d10b = secondCodes<F>(v1b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      s00b = addDot<F>(s00b, e00b, o00b, c00b, d00b);
      s10b = addDot<F>(s10b, e00b, o00b, c10b, d10b);
      const p10b = v128.load(x1, 16), e10b = first<F>(p10b), o10b = second<F>(p10b);
      s01b = addDot<F>(s01b, e10b, o10b, c00b, d00b);
      s11b = addDot<F>(s11b, e10b, o10b, c10b, d10b);
      const p20b = v128.load(x2, 16), e20b = first<F>(p20b), o20b = second<F>(p20b);
      s02b = addDot<F>(s02b, e20b, o20b, c00b, d00b);
      s12b = addDot<F>(s12b, e20b, o20b, c10b, d10b);
      const p30b = v128.load(x3, 16), e30b = first<F>(p30b), o30b = second<F>(p30b);
      s03b = addDot<F>(s03b, e30b, o30b, c00b, d00b);
      s13b = addDot<F>(s13b, e30b, o30b, c10b, d10b);
      const c01a = firstCodes<F>(v0a, 4, mask), d01a = secondCodes<F>(v0a, 4, mask);
      const c11a = firstCodes<F>(v1a, 4, mask), d11a = secondCodes<F>(v1a, 4, mask);
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s00a = addDot<F>(s00a, e01a, o01a, c01a, d01a);
      s10a = addDot<F>(s10a, e01a, o01a, c11a, d11a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      s01a = addDot<F>(s01a, e11a, o11a, c01a, d01a);
      s11a = addDot<F>(s11a, e11a, o11a, c11a, d11a);
      const p21a = v128.load(x2, 32), e21a = first<F>(p21a), o21a = second<F>(p21a);
      s02a = addDot<F>(s02a, e21a, o21a, c01a, d01a);
      s12a = addDot<F>(s12a, e21a, o21a, c11a, d11a);
      const p31a = v128.load(x3, 32), e31a = first<F>(p31a), o31a = second<F>(p31a);
      s03a = addDot<F>(s03a, e31a, o31a, c01a, d01a);
      s13a = addDot<F>(s13a, e31a, o31a, c11a, d11a);
      const c01b = firstCodes<F>(v0b, 4, mask), d01b = secondCodes<F>(v0b, 4, mask);
      const c11b = firstCodes<F>(v1b, 4, mask), d11b = secondCodes<F>(v1b, 4, mask);
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s00b = addDot<F>(s00b, e01b, o01b, c01b, d01b);
      s10b = addDot<F>(s10b, e01b, o01b, c11b, d11b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      s01b = addDot<F>(s01b, e11b, o11b, c01b, d01b);
      s11b = addDot<F>(s11b, e11b, o11b, c11b, d11b);
      const p21b = v128.load(x2, 48), e21b = first<F>(p21b), o21b = second<F>(p21b);
      s02b = addDot<F>(s02b, e21b, o21b, c01b, d01b);
      s12b = addDot<F>(s12b, e21b, o21b, c11b, d11b);
      const p31b = v128.load(x3, 48), e31b = first<F>(p31b), o31b = second<F>(p31b);
      s03b = addDot<F>(s03b, e31b, o31b, c01b, d01b);
      s13b = addDot<F>(s13b, e31b, o31b, c11b, d11b);
      const c02a = firstCodes<F>(v0a, 2, mask), d02a = secondCodes<F>(v0a, 2, mask);
      const c12a = firstCodes<F>(v1a, 2, mask), d12a = secondCodes<F>(v1a, 2, mask);
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s00a = addDot<F>(s00a, e02a, o02a, c02a, d02a);
      s10a = addDot<F>(s10a, e02a, o02a, c12a, d12a);
      const p12a = v128.load(x1, 64), e12a = first<F>(p12a), o12a = second<F>(p12a);
      s01a = addDot<F>(s01a, e12a, o12a, c02a, d02a);
      s11a = addDot<F>(s11a, e12a, o12a, c12a, d12a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      s02a = addDot<F>(s02a, e22a, o22a, c02a, d02a);
      s12a = addDot<F>(s12a, e22a, o22a, c12a, d12a);
      const p32a = v128.load(x3, 64), e32a = first<F>(p32a), o32a = second<F>(p32a);
      s03a = addDot<F>(s03a, e32a, o32a, c02a, d02a);
      s13a = addDot<F>(s13a, e32a, o32a, c12a, d12a);
      const c02b = firstCodes<F>(v0b, 2, mask), d02b = secondCodes<F>(v0b, 2, mask);
      const c12b = firstCodes<F>(v1b, 2, mask), d12b = secondCodes<F>(v1b, 2, mask);
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s00b = addDot<F>(s00b, e02b, o02b, c02b, d02b);
      s10b = addDot<F>(s10b, e02b, o02b, c12b, d12b);
      const p12b = v128.load(x1, 80), e12b = first<F>(p12b), o12b = second<F>(p12b);
      s01b = addDot<F>(s01b, e12b, o12b, c02b, d02b);
      s11b = addDot<F>(s11b, e12b, o12b, c12b, d12b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      s02b = addDot<F>(s02b, e22b, o22b, c02b, d02b);
      s12b = addDot<F>(s12b, e22b, o22b, c12b, d12b);
      const p32b = v128.load(x3, 80), e32b = first<F>(p32b), o32b = second<F>(p32b);
      s03b = addDot<F>(s03b, e32b, o32b, c02b, d02b);
      s13b = addDot<F>(s13b, e32b, o32b, c12b, d12b);
      const c03a = firstCodes<F>(v0a, 0, mask), d03a = secondCodes<F>(v0a, 0, mask);
      const c13a = firstCodes<F>(v1a, 0, mask), d13a = secondCodes<F>(v1a, 0, mask);
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s00a = addDot<F>(s00a, e03a, o03a, c03a, d03a);
      s10a = addDot<F>(s10a, e03a, o03a, c13a, d13a);
      const p13a = v128.load(x1, 96), e13a = first<F>(p13a), o13a = second<F>(p13a);
      s01a = addDot<F>(s01a, e13a, o13a, c03a, d03a);
      s11a = addDot<F>(s11a, e13a, o13a, c13a, d13a);
      const p23a = v128.load(x2, 96), e23a = first<F>(p23a), o23a = second<F>(p23a);
      s02a = addDot<F>(s02a, e23a, o23a, c03a, d03a);
      s12a = addDot<F>(s12a, e23a, o23a, c13a, d13a);
      const p33a = v128.load(x3, 96), e33a = first<F>(p33a), o33a = second<F>(p33a);
      s03a = addDot<F>(s03a, e33a, o33a, c03a, d03a);
      s13a = addDot<F>(s13a, e33a, o33a, c13a, d13a);
      const c03b = firstCodes<F>(v0b, 0, mask), d03b = secondCodes<F>(v0b, 0, mask);
      const c13b = firstCodes<F>(v1b, 0, mask), d13b = secondCodes<F>(v1b, 0, mask);
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s00b = addDot<F>(s00b, e03b, o03b, c03b, d03b);
      s10b = addDot<F>(s10b, e03b, o03b, c13b, d13b);
      const p13b = v128.load(x1, 112), e13b = first<F>(p13b), o13b = second<F>(p13b);
      s01b = addDot<F>(s01b, e13b, o13b, c03b, d03b);
      s11b = addDot<F>(s11b, e13b, o13b, c13b, d13b);
      const p23b = v128.load(x2, 112), e23b = first<F>(p23b), o23b = second<F>(p23b);
      s02b = addDot<F>(s02b, e23b, o23b, c03b, d03b);
      s12b = addDot<F>(s12b, e23b, o23b, c13b, d13b);
      const p33b = v128.load(x3, 112), e33b = first<F>(p33b), o33b = second<F>(p33b);
      s03b = addDot<F>(s03b, e33b, o33b, c03b, d03b);
      s13b = addDot<F>(s13b, e33b, o33b, c13b, d13b);
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t01a = hasSums16<F>() ? flush(t01a, s01a) : s01a;
    t01b = hasSums16<F>() ? flush(t01b, s01b) : s01b;
    t02a = hasSums16<F>() ? flush(t02a, s02a) : s02a;
    t02b = hasSums16<F>() ? flush(t02b, s02b) : s02b;
    t03a = hasSums16<F>() ? flush(t03a, s03a) : s03a;
    t03b = hasSums16<F>() ? flush(t03b, s03b) : s03b;
    t10a = hasSums16<F>() ? flush(t10a, s10a) : s10a;
    t10b = hasSums16<F>() ? flush(t10b, s10b) : s10b;
    t11a = hasSums16<F>() ? flush(t11a, s11a) : s11a;
    t11b = hasSums16<F>() ? flush(t11b, s11b) : s11b;
    t12a = hasSums16<F>() ? flush(t12a, s12a) : s12a;
    t12b = hasSums16<F>() ? flush(t12b, s12b) : s12b;
    t13a = hasSums16<F>() ? flush(t13a, s13a) : s13a;
    t13b = hasSums16<F>() ? flush(t13b, s13b) : s13b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t01a, 32);
  v128.store(scratch, t01b, 48);
  v128.store(scratch, t02a, 64);
  v128.store(scratch, t02b, 80);
  v128.store(scratch, t03a, 96);
  v128.store(scratch, t03b, 112);
  v128.store(scratch, t10a, 128);
  v128.store(scratch, t10b, 144);
  v128.store(scratch, t11a, 160);
  v128.store(scratch, t11b, 176);
  v128.store(scratch, t12a, 192);
  v128.store(scratch, t12b, 208);
  v128.store(scratch, t13a, 224);
  v128.store(scratch, t13b, 240);
  finishFour(y, yStride, scratch, record, scale, accumulate);
  finishFour(y + streamRows * 4, yStride, scratch + 128, record, scale, accumulate);
}

/** 1 × 4. */
// @ts-ignore: decorator
@inline
export function prefillRow<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let t00a = zero;
  let t00b = zero;
  let t01a = zero;
  let t01b = zero;
  let t02a = zero;
  let t02b = zero;
  let t03a = zero;
  let t03b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s01a = hasSums16<F>() ? zero : t01a;
    let s01b = hasSums16<F>() ? zero : t01b;
    let s02a = hasSums16<F>() ? zero : t02a;
    let s02b = hasSums16<F>() ? zero : t02b;
    let s03a = hasSums16<F>() ? zero : t03a;
    let s03b = hasSums16<F>() ? zero : t03b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      s00a = addDot<F>(s00a, e00a, o00a, c00a, d00a);
      const p10a = v128.load(x1, 0), e10a = first<F>(p10a), o10a = second<F>(p10a);
      s01a = addDot<F>(s01a, e10a, o10a, c00a, d00a);
      const p20a = v128.load(x2, 0), e20a = first<F>(p20a), o20a = second<F>(p20a);
      s02a = addDot<F>(s02a, e20a, o20a, c00a, d00a);
      const p30a = v128.load(x3, 0), e30a = first<F>(p30a), o30a = second<F>(p30a);
      s03a = addDot<F>(s03a, e30a, o30a, c00a, d00a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      s00b = addDot<F>(s00b, e00b, o00b, c00b, d00b);
      const p10b = v128.load(x1, 16), e10b = first<F>(p10b), o10b = second<F>(p10b);
      s01b = addDot<F>(s01b, e10b, o10b, c00b, d00b);
      const p20b = v128.load(x2, 16), e20b = first<F>(p20b), o20b = second<F>(p20b);
      s02b = addDot<F>(s02b, e20b, o20b, c00b, d00b);
      const p30b = v128.load(x3, 16), e30b = first<F>(p30b), o30b = second<F>(p30b);
      s03b = addDot<F>(s03b, e30b, o30b, c00b, d00b);
      const c01a = firstCodes<F>(v0a, 4, mask), d01a = secondCodes<F>(v0a, 4, mask);
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s00a = addDot<F>(s00a, e01a, o01a, c01a, d01a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      s01a = addDot<F>(s01a, e11a, o11a, c01a, d01a);
      const p21a = v128.load(x2, 32), e21a = first<F>(p21a), o21a = second<F>(p21a);
      s02a = addDot<F>(s02a, e21a, o21a, c01a, d01a);
      const p31a = v128.load(x3, 32), e31a = first<F>(p31a), o31a = second<F>(p31a);
      s03a = addDot<F>(s03a, e31a, o31a, c01a, d01a);
      const c01b = firstCodes<F>(v0b, 4, mask), d01b = secondCodes<F>(v0b, 4, mask);
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s00b = addDot<F>(s00b, e01b, o01b, c01b, d01b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      s01b = addDot<F>(s01b, e11b, o11b, c01b, d01b);
      const p21b = v128.load(x2, 48), e21b = first<F>(p21b), o21b = second<F>(p21b);
      s02b = addDot<F>(s02b, e21b, o21b, c01b, d01b);
      const p31b = v128.load(x3, 48), e31b = first<F>(p31b), o31b = second<F>(p31b);
      s03b = addDot<F>(s03b, e31b, o31b, c01b, d01b);
      const c02a = firstCodes<F>(v0a, 2, mask), d02a = secondCodes<F>(v0a, 2, mask);
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s00a = addDot<F>(s00a, e02a, o02a, c02a, d02a);
      const p12a = v128.load(x1, 64), e12a = first<F>(p12a), o12a = second<F>(p12a);
      s01a = addDot<F>(s01a, e12a, o12a, c02a, d02a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      s02a = addDot<F>(s02a, e22a, o22a, c02a, d02a);
      const p32a = v128.load(x3, 64), e32a = first<F>(p32a), o32a = second<F>(p32a);
      s03a = addDot<F>(s03a, e32a, o32a, c02a, d02a);
      const c02b = firstCodes<F>(v0b, 2, mask), d02b = secondCodes<F>(v0b, 2, mask);
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s00b = addDot<F>(s00b, e02b, o02b, c02b, d02b);
      const p12b = v128.load(x1, 80), e12b = first<F>(p12b), o12b = second<F>(p12b);
      s01b = addDot<F>(s01b, e12b, o12b, c02b, d02b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      s02b = addDot<F>(s02b, e22b, o22b, c02b, d02b);
      const p32b = v128.load(x3, 80), e32b = first<F>(p32b), o32b = second<F>(p32b);
      s03b = addDot<F>(s03b, e32b, o32b, c02b, d02b);
      const c03a = firstCodes<F>(v0a, 0, mask), d03a = secondCodes<F>(v0a, 0, mask);
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s00a = addDot<F>(s00a, e03a, o03a, c03a, d03a);
      const p13a = v128.load(x1, 96), e13a = first<F>(p13a), o13a = second<F>(p13a);
      s01a = addDot<F>(s01a, e13a, o13a, c03a, d03a);
      const p23a = v128.load(x2, 96), e23a = first<F>(p23a), o23a = second<F>(p23a);
      s02a = addDot<F>(s02a, e23a, o23a, c03a, d03a);
      const p33a = v128.load(x3, 96), e33a = first<F>(p33a), o33a = second<F>(p33a);
      s03a = addDot<F>(s03a, e33a, o33a, c03a, d03a);
      const c03b = firstCodes<F>(v0b, 0, mask), d03b = secondCodes<F>(v0b, 0, mask);
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s00b = addDot<F>(s00b, e03b, o03b, c03b, d03b);
      const p13b = v128.load(x1, 112), e13b = first<F>(p13b), o13b = second<F>(p13b);
      s01b = addDot<F>(s01b, e13b, o13b, c03b, d03b);
      const p23b = v128.load(x2, 112), e23b = first<F>(p23b), o23b = second<F>(p23b);
      s02b = addDot<F>(s02b, e23b, o23b, c03b, d03b);
      const p33b = v128.load(x3, 112), e33b = first<F>(p33b), o33b = second<F>(p33b);
      s03b = addDot<F>(s03b, e33b, o33b, c03b, d03b);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t01a = hasSums16<F>() ? flush(t01a, s01a) : s01a;
    t01b = hasSums16<F>() ? flush(t01b, s01b) : s01b;
    t02a = hasSums16<F>() ? flush(t02a, s02a) : s02a;
    t02b = hasSums16<F>() ? flush(t02b, s02b) : s02b;
    t03a = hasSums16<F>() ? flush(t03a, s03a) : s03a;
    t03b = hasSums16<F>() ? flush(t03b, s03b) : s03b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t01a, 32);
  v128.store(scratch, t01b, 48);
  v128.store(scratch, t02a, 64);
  v128.store(scratch, t02b, 80);
  v128.store(scratch, t03a, 96);
  v128.store(scratch, t03b, 112);
  finishFour(y, yStride, scratch, record, scale, accumulate);
}

/** 1 × 4, added to totals if there are some already. */
// @ts-ignore: decorator
@inline
export function wideTile4<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, totals: usize, scratch: usize, more: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let t00a = zero;
  let t00b = zero;
  let t01a = zero;
  let t01b = zero;
  let t02a = zero;
  let t02b = zero;
  let t03a = zero;
  let t03b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s01a = hasSums16<F>() ? zero : t01a;
    let s01b = hasSums16<F>() ? zero : t01b;
    let s02a = hasSums16<F>() ? zero : t02a;
    let s02b = hasSums16<F>() ? zero : t02b;
    let s03a = hasSums16<F>() ? zero : t03a;
    let s03b = hasSums16<F>() ? zero : t03b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let q00a = startDot<F>(s00a, e00a, o00a, c00a, d00a);
      const p10a = v128.load(x1, 0), e10a = first<F>(p10a), o10a = second<F>(p10a);
      let q01a = startDot<F>(s01a, e10a, o10a, c00a, d00a);
      const p20a = v128.load(x2, 0), e20a = first<F>(p20a), o20a = second<F>(p20a);
      let q02a = startDot<F>(s02a, e20a, o20a, c00a, d00a);
      const p30a = v128.load(x3, 0), e30a = first<F>(p30a), o30a = second<F>(p30a);
      let q03a = startDot<F>(s03a, e30a, o30a, c00a, d00a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let q00b = startDot<F>(s00b, e00b, o00b, c00b, d00b);
      const p10b = v128.load(x1, 16), e10b = first<F>(p10b), o10b = second<F>(p10b);
      let q01b = startDot<F>(s01b, e10b, o10b, c00b, d00b);
      const p20b = v128.load(x2, 16), e20b = first<F>(p20b), o20b = second<F>(p20b);
      let q02b = startDot<F>(s02b, e20b, o20b, c00b, d00b);
      const p30b = v128.load(x3, 16), e30b = first<F>(p30b), o30b = second<F>(p30b);
      let q03b = startDot<F>(s03b, e30b, o30b, c00b, d00b);
      const c01a = firstCodes<F>(v0a, 4, mask), d01a = secondCodes<F>(v0a, 4, mask);
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      q00a = addDot<F>(q00a, e01a, o01a, c01a, d01a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      q01a = addDot<F>(q01a, e11a, o11a, c01a, d01a);
      const p21a = v128.load(x2, 32), e21a = first<F>(p21a), o21a = second<F>(p21a);
      q02a = addDot<F>(q02a, e21a, o21a, c01a, d01a);
      const p31a = v128.load(x3, 32), e31a = first<F>(p31a), o31a = second<F>(p31a);
      q03a = addDot<F>(q03a, e31a, o31a, c01a, d01a);
      const c01b = firstCodes<F>(v0b, 4, mask), d01b = secondCodes<F>(v0b, 4, mask);
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      q00b = addDot<F>(q00b, e01b, o01b, c01b, d01b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      q01b = addDot<F>(q01b, e11b, o11b, c01b, d01b);
      const p21b = v128.load(x2, 48), e21b = first<F>(p21b), o21b = second<F>(p21b);
      q02b = addDot<F>(q02b, e21b, o21b, c01b, d01b);
      const p31b = v128.load(x3, 48), e31b = first<F>(p31b), o31b = second<F>(p31b);
      q03b = addDot<F>(q03b, e31b, o31b, c01b, d01b);
      const c02a = firstCodes<F>(v0a, 2, mask), d02a = secondCodes<F>(v0a, 2, mask);
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      q00a = addDot<F>(q00a, e02a, o02a, c02a, d02a);
      const p12a = v128.load(x1, 64), e12a = first<F>(p12a), o12a = second<F>(p12a);
      q01a = addDot<F>(q01a, e12a, o12a, c02a, d02a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      q02a = addDot<F>(q02a, e22a, o22a, c02a, d02a);
      const p32a = v128.load(x3, 64), e32a = first<F>(p32a), o32a = second<F>(p32a);
      q03a = addDot<F>(q03a, e32a, o32a, c02a, d02a);
      const c02b = firstCodes<F>(v0b, 2, mask), d02b = secondCodes<F>(v0b, 2, mask);
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      q00b = addDot<F>(q00b, e02b, o02b, c02b, d02b);
      const p12b = v128.load(x1, 80), e12b = first<F>(p12b), o12b = second<F>(p12b);
      q01b = addDot<F>(q01b, e12b, o12b, c02b, d02b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      q02b = addDot<F>(q02b, e22b, o22b, c02b, d02b);
      const p32b = v128.load(x3, 80), e32b = first<F>(p32b), o32b = second<F>(p32b);
      q03b = addDot<F>(q03b, e32b, o32b, c02b, d02b);
      const c03a = firstCodes<F>(v0a, 0, mask), d03a = secondCodes<F>(v0a, 0, mask);
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      q00a = addDot<F>(q00a, e03a, o03a, c03a, d03a);
      const p13a = v128.load(x1, 96), e13a = first<F>(p13a), o13a = second<F>(p13a);
      q01a = addDot<F>(q01a, e13a, o13a, c03a, d03a);
      const p23a = v128.load(x2, 96), e23a = first<F>(p23a), o23a = second<F>(p23a);
      q02a = addDot<F>(q02a, e23a, o23a, c03a, d03a);
      const p33a = v128.load(x3, 96), e33a = first<F>(p33a), o33a = second<F>(p33a);
      q03a = addDot<F>(q03a, e33a, o33a, c03a, d03a);
      const c03b = firstCodes<F>(v0b, 0, mask), d03b = secondCodes<F>(v0b, 0, mask);
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      q00b = addDot<F>(q00b, e03b, o03b, c03b, d03b);
      const p13b = v128.load(x1, 112), e13b = first<F>(p13b), o13b = second<F>(p13b);
      q01b = addDot<F>(q01b, e13b, o13b, c03b, d03b);
      const p23b = v128.load(x2, 112), e23b = first<F>(p23b), o23b = second<F>(p23b);
      q02b = addDot<F>(q02b, e23b, o23b, c03b, d03b);
      const p33b = v128.load(x3, 112), e33b = first<F>(p33b), o33b = second<F>(p33b);
      q03b = addDot<F>(q03b, e33b, o33b, c03b, d03b);
      s00a = endDot<F>(s00a, q00a);
      s00b = endDot<F>(s00b, q00b);
      s01a = endDot<F>(s01a, q01a);
      s01b = endDot<F>(s01b, q01b);
      s02a = endDot<F>(s02a, q02a);
      s02b = endDot<F>(s02b, q02b);
      s03a = endDot<F>(s03a, q03a);
      s03b = endDot<F>(s03b, q03b);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t01a = hasSums16<F>() ? flush(t01a, s01a) : s01a;
    t01b = hasSums16<F>() ? flush(t01b, s01b) : s01b;
    t02a = hasSums16<F>() ? flush(t02a, s02a) : s02a;
    t02b = hasSums16<F>() ? flush(t02b, s02b) : s02b;
    t03a = hasSums16<F>() ? flush(t03a, s03a) : s03a;
    t03b = hasSums16<F>() ? flush(t03b, s03b) : s03b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t01a, 32);
  v128.store(scratch, t01b, 48);
  v128.store(scratch, t02a, 64);
  v128.store(scratch, t02b, 80);
  v128.store(scratch, t03a, 96);
  v128.store(scratch, t03b, 112);
  addTotals(totals, scratch, 4, more);
}

/** 1 × 3, added to totals if there are some already. */
// @ts-ignore: decorator
@inline
export function wideTile3<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, totals: usize, scratch: usize, more: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let x1 = x0 + xStride, x2 = x1 + xStride;
  let t00a = zero;
  let t00b = zero;
  let t01a = zero;
  let t01b = zero;
  let t02a = zero;
  let t02b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s01a = hasSums16<F>() ? zero : t01a;
    let s01b = hasSums16<F>() ? zero : t01b;
    let s02a = hasSums16<F>() ? zero : t02a;
    let s02b = hasSums16<F>() ? zero : t02b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let q00a = startDot<F>(s00a, e00a, o00a, c00a, d00a);
      const p10a = v128.load(x1, 0), e10a = first<F>(p10a), o10a = second<F>(p10a);
      let q01a = startDot<F>(s01a, e10a, o10a, c00a, d00a);
      const p20a = v128.load(x2, 0), e20a = first<F>(p20a), o20a = second<F>(p20a);
      let q02a = startDot<F>(s02a, e20a, o20a, c00a, d00a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let q00b = startDot<F>(s00b, e00b, o00b, c00b, d00b);
      const p10b = v128.load(x1, 16), e10b = first<F>(p10b), o10b = second<F>(p10b);
      let q01b = startDot<F>(s01b, e10b, o10b, c00b, d00b);
      const p20b = v128.load(x2, 16), e20b = first<F>(p20b), o20b = second<F>(p20b);
      let q02b = startDot<F>(s02b, e20b, o20b, c00b, d00b);
      const c01a = firstCodes<F>(v0a, 4, mask), d01a = secondCodes<F>(v0a, 4, mask);
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      q00a = addDot<F>(q00a, e01a, o01a, c01a, d01a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      q01a = addDot<F>(q01a, e11a, o11a, c01a, d01a);
      const p21a = v128.load(x2, 32), e21a = first<F>(p21a), o21a = second<F>(p21a);
      q02a = addDot<F>(q02a, e21a, o21a, c01a, d01a);
      const c01b = firstCodes<F>(v0b, 4, mask), d01b = secondCodes<F>(v0b, 4, mask);
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      q00b = addDot<F>(q00b, e01b, o01b, c01b, d01b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      q01b = addDot<F>(q01b, e11b, o11b, c01b, d01b);
      const p21b = v128.load(x2, 48), e21b = first<F>(p21b), o21b = second<F>(p21b);
      q02b = addDot<F>(q02b, e21b, o21b, c01b, d01b);
      const c02a = firstCodes<F>(v0a, 2, mask), d02a = secondCodes<F>(v0a, 2, mask);
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      q00a = addDot<F>(q00a, e02a, o02a, c02a, d02a);
      const p12a = v128.load(x1, 64), e12a = first<F>(p12a), o12a = second<F>(p12a);
      q01a = addDot<F>(q01a, e12a, o12a, c02a, d02a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      q02a = addDot<F>(q02a, e22a, o22a, c02a, d02a);
      const c02b = firstCodes<F>(v0b, 2, mask), d02b = secondCodes<F>(v0b, 2, mask);
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      q00b = addDot<F>(q00b, e02b, o02b, c02b, d02b);
      const p12b = v128.load(x1, 80), e12b = first<F>(p12b), o12b = second<F>(p12b);
      q01b = addDot<F>(q01b, e12b, o12b, c02b, d02b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      q02b = addDot<F>(q02b, e22b, o22b, c02b, d02b);
      const c03a = firstCodes<F>(v0a, 0, mask), d03a = secondCodes<F>(v0a, 0, mask);
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      q00a = addDot<F>(q00a, e03a, o03a, c03a, d03a);
      const p13a = v128.load(x1, 96), e13a = first<F>(p13a), o13a = second<F>(p13a);
      q01a = addDot<F>(q01a, e13a, o13a, c03a, d03a);
      const p23a = v128.load(x2, 96), e23a = first<F>(p23a), o23a = second<F>(p23a);
      q02a = addDot<F>(q02a, e23a, o23a, c03a, d03a);
      const c03b = firstCodes<F>(v0b, 0, mask), d03b = secondCodes<F>(v0b, 0, mask);
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      q00b = addDot<F>(q00b, e03b, o03b, c03b, d03b);
      const p13b = v128.load(x1, 112), e13b = first<F>(p13b), o13b = second<F>(p13b);
      q01b = addDot<F>(q01b, e13b, o13b, c03b, d03b);
      const p23b = v128.load(x2, 112), e23b = first<F>(p23b), o23b = second<F>(p23b);
      q02b = addDot<F>(q02b, e23b, o23b, c03b, d03b);
      s00a = endDot<F>(s00a, q00a);
      s00b = endDot<F>(s00b, q00b);
      s01a = endDot<F>(s01a, q01a);
      s01b = endDot<F>(s01b, q01b);
      s02a = endDot<F>(s02a, q02a);
      s02b = endDot<F>(s02b, q02b);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t01a = hasSums16<F>() ? flush(t01a, s01a) : s01a;
    t01b = hasSums16<F>() ? flush(t01b, s01b) : s01b;
    t02a = hasSums16<F>() ? flush(t02a, s02a) : s02a;
    t02b = hasSums16<F>() ? flush(t02b, s02b) : s02b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t01a, 32);
  v128.store(scratch, t01b, 48);
  v128.store(scratch, t02a, 64);
  v128.store(scratch, t02b, 80);
  addTotals(totals, scratch, 3, more);
}

/** The decode tile on rows that are streamRows apart. */
// @ts-ignore: decorator
@inline
export function decodeStreams<F>(w: usize, streamRows: usize, rowBytes: usize, blocks: usize, x: usize, record: usize, y: usize, scratch: usize, scale: f32, accumulate: bool): void {
  decodeTile<F>(w, w + streamRows * rowBytes, w + 2 * streamRows * rowBytes, w + 3 * streamRows * rowBytes, blocks, x, record, y, y + 4 * streamRows, y + 8 * streamRows, y + 12 * streamRows, scratch, scale, accumulate);
}

/** 4 × 1. */
// @ts-ignore: decorator
@inline
export function listedTile<F>(w0: usize, w1: usize, w2: usize, w3: usize, blocks: usize, x0: usize, record: usize, y0: usize, y1: usize, y2: usize, y3: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);

  let t00a = zero;
  let t00b = zero;
  let t10a = zero;
  let t10b = zero;
  let t20a = zero;
  let t20b = zero;
  let t30a = zero;
  let t30b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = hasSums16<F>() ? zero : t00a;
    let s00b = hasSums16<F>() ? zero : t00b;
    let s10a = hasSums16<F>() ? zero : t10a;
    let s10b = hasSums16<F>() ? zero : t10b;
    let s20a = hasSums16<F>() ? zero : t20a;
    let s20b = hasSums16<F>() ? zero : t20b;
    let s30a = hasSums16<F>() ? zero : t30a;
    let s30b = hasSums16<F>() ? zero : t30b;
    const stop = hasSums16<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const v2a = v128.load(w2), v2b = v128.load(w2, 16);
      const v3a = v128.load(w3), v3b = v128.load(w3, 16);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      let q00a = startDot<F>(s00a, e00a, o00a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      let q10a = startDot<F>(s10a, e00a, o00a, firstCodes<F>(v1a, 6, mask), secondCodes<F>(v1a, 6, mask));
      let q20a = startDot<F>(s20a, e00a, o00a, firstCodes<F>(v2a, 6, mask), secondCodes<F>(v2a, 6, mask));
      let q30a = startDot<F>(s30a, e00a, o00a, firstCodes<F>(v3a, 6, mask), secondCodes<F>(v3a, 6, mask));
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      let q00b = startDot<F>(s00b, e00b, o00b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      let q10b = startDot<F>(s10b, e00b, o00b, firstCodes<F>(v1b, 6, mask), secondCodes<F>(v1b, 6, mask));
      let q20b = startDot<F>(s20b, e00b, o00b, firstCodes<F>(v2b, 6, mask), secondCodes<F>(v2b, 6, mask));
      let q30b = startDot<F>(s30b, e00b, o00b, firstCodes<F>(v3b, 6, mask), secondCodes<F>(v3b, 6, mask));
      const p01a = v128.load(x0, 32), e01a = first<F>(p01a), o01a = second<F>(p01a);
      q00a = addDot<F>(q00a, e01a, o01a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      q10a = addDot<F>(q10a, e01a, o01a, firstCodes<F>(v1a, 4, mask), secondCodes<F>(v1a, 4, mask));
      q20a = addDot<F>(q20a, e01a, o01a, firstCodes<F>(v2a, 4, mask), secondCodes<F>(v2a, 4, mask));
      q30a = addDot<F>(q30a, e01a, o01a, firstCodes<F>(v3a, 4, mask), secondCodes<F>(v3a, 4, mask));
      const p01b = v128.load(x0, 48), e01b = first<F>(p01b), o01b = second<F>(p01b);
      q00b = addDot<F>(q00b, e01b, o01b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      q10b = addDot<F>(q10b, e01b, o01b, firstCodes<F>(v1b, 4, mask), secondCodes<F>(v1b, 4, mask));
      q20b = addDot<F>(q20b, e01b, o01b, firstCodes<F>(v2b, 4, mask), secondCodes<F>(v2b, 4, mask));
      q30b = addDot<F>(q30b, e01b, o01b, firstCodes<F>(v3b, 4, mask), secondCodes<F>(v3b, 4, mask));
      const p02a = v128.load(x0, 64), e02a = first<F>(p02a), o02a = second<F>(p02a);
      q00a = addDot<F>(q00a, e02a, o02a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      q10a = addDot<F>(q10a, e02a, o02a, firstCodes<F>(v1a, 2, mask), secondCodes<F>(v1a, 2, mask));
      q20a = addDot<F>(q20a, e02a, o02a, firstCodes<F>(v2a, 2, mask), secondCodes<F>(v2a, 2, mask));
      q30a = addDot<F>(q30a, e02a, o02a, firstCodes<F>(v3a, 2, mask), secondCodes<F>(v3a, 2, mask));
      const p02b = v128.load(x0, 80), e02b = first<F>(p02b), o02b = second<F>(p02b);
      q00b = addDot<F>(q00b, e02b, o02b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      q10b = addDot<F>(q10b, e02b, o02b, firstCodes<F>(v1b, 2, mask), secondCodes<F>(v1b, 2, mask));
      q20b = addDot<F>(q20b, e02b, o02b, firstCodes<F>(v2b, 2, mask), secondCodes<F>(v2b, 2, mask));
      q30b = addDot<F>(q30b, e02b, o02b, firstCodes<F>(v3b, 2, mask), secondCodes<F>(v3b, 2, mask));
      const p03a = v128.load(x0, 96), e03a = first<F>(p03a), o03a = second<F>(p03a);
      q00a = addDot<F>(q00a, e03a, o03a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      q10a = addDot<F>(q10a, e03a, o03a, firstCodes<F>(v1a, 0, mask), secondCodes<F>(v1a, 0, mask));
      q20a = addDot<F>(q20a, e03a, o03a, firstCodes<F>(v2a, 0, mask), secondCodes<F>(v2a, 0, mask));
      q30a = addDot<F>(q30a, e03a, o03a, firstCodes<F>(v3a, 0, mask), secondCodes<F>(v3a, 0, mask));
      const p03b = v128.load(x0, 112), e03b = first<F>(p03b), o03b = second<F>(p03b);
      q00b = addDot<F>(q00b, e03b, o03b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      q10b = addDot<F>(q10b, e03b, o03b, firstCodes<F>(v1b, 0, mask), secondCodes<F>(v1b, 0, mask));
      q20b = addDot<F>(q20b, e03b, o03b, firstCodes<F>(v2b, 0, mask), secondCodes<F>(v2b, 0, mask));
      q30b = addDot<F>(q30b, e03b, o03b, firstCodes<F>(v3b, 0, mask), secondCodes<F>(v3b, 0, mask));
      s00a = endDot<F>(s00a, q00a);
      s00b = endDot<F>(s00b, q00b);
      s10a = endDot<F>(s10a, q10a);
      s10b = endDot<F>(s10b, q10b);
      s20a = endDot<F>(s20a, q20a);
      s20b = endDot<F>(s20b, q20b);
      s30a = endDot<F>(s30a, q30a);
      s30b = endDot<F>(s30b, q30b);
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; w3 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    t00a = hasSums16<F>() ? flush(t00a, s00a) : s00a;
    t00b = hasSums16<F>() ? flush(t00b, s00b) : s00b;
    t10a = hasSums16<F>() ? flush(t10a, s10a) : s10a;
    t10b = hasSums16<F>() ? flush(t10b, s10b) : s10b;
    t20a = hasSums16<F>() ? flush(t20a, s20a) : s20a;
    t20b = hasSums16<F>() ? flush(t20b, s20b) : s20b;
    t30a = hasSums16<F>() ? flush(t30a, s30a) : s30a;
    t30b = hasSums16<F>() ? flush(t30b, s30b) : s30b;
  }
  v128.store(scratch, t00a, 0);
  v128.store(scratch, t00b, 16);
  v128.store(scratch, t10a, 32);
  v128.store(scratch, t10b, 48);
  v128.store(scratch, t20a, 64);
  v128.store(scratch, t20b, 80);
  v128.store(scratch, t30a, 96);
  v128.store(scratch, t30b, 112);
  finish(y0, scratch, record, scale, accumulate);
  finish(y1, scratch + 32, record, scale, accumulate);
  finish(y2, scratch + 64, record, scale, accumulate);
  finish(y3, scratch + 96, record, scale, accumulate);
}
