// Tiles of ternary rows × int8 activations: so many rows and tokens at a time.
//
// Long lists: registers have names and no index, so each tile is written out.
//
// Layout "ternary-rows": row-major, cols/4 bytes a row, in blocks of 128 weights = 32 bytes. Byte j (0…31) of a block holds
// weights j, 32+j, 64+j and 96+j in bits 7-6, 5-4, 3-2 and 1-0, as code = weight + 1. This is how I2_S lies in its file, so
// such a tensor is only checked. Codes are not signed: Σ w·x = Σ code·x − Σ x, with Σ x known once per token.
//
// The two 16-byte halves of a block are worked on side by side, each with sums of its own, and the sums are stored next to
// each other at the end: that is what lets V8's revectorizer, where it is on, make one 256-bit operation of every two
// (docs/KERNELS.md). Without it, the form costs nothing: 32 bytes per step keep the loop's overhead small.
//
// Rows that a call walks together lie far apart (a quarter of its rows each), every one a sequential stream of its own:
// the hardware prefetcher follows streams within 4 KiB pages, so several keep several misses in flight. Neighbouring rows
// were 2× slower on weights larger than the cache (docs/KERNELS.md).

import {
  BLOCK_BYTES,
  BLOCK_COLS,
  FLUSH_BLOCKS,
  addDot,
  codeMask,
  first,
  firstCodes,
  flush,
  isNarrow,
  second,
  secondCodes,
} from "../simd/dot";
import { sumLanesI32 } from "../simd/lanes";

/** What quantize_activations_i8 leaves per token: f32 scale s, i32 sum Σ x. */
// @ts-ignore: decorator
@inline
export const RECORD_BYTES: usize = 8;

/**
 * y = (Σ codes·x − Σ x) / s · d in f32 in this order, as the native engine has it; added to y if asked. The sum is in two
 * vectors at `sums`.
 */
// @ts-ignore: decorator
@inline
function finish(y: usize, sums: usize, record: usize, scale: f32, accumulate: bool): void {
  const sum = sumLanesI32(i32x4.add(v128.load(sums), v128.load(sums, 16)));
  const value = (<f32>(sum - load<i32>(record, 4)) / load<f32>(record)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** One row × one token: what is left over at the end of a range. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function row1x1<F>(w0: usize, blocks: usize, x0: usize, record: usize, y: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let wide00a = zero, wide00b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = isNarrow<F>() ? zero : wide00a, s00b = isNarrow<F>() ? zero : wide00b;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const p0a = v128.load(x0, 0), e0a = first<F>(p0a), o0a = second<F>(p0a);
      s00a = addDot<F>(s00a, e0a, o0a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      const p0b = v128.load(x0, 16), e0b = first<F>(p0b), o0b = second<F>(p0b);
      s00b = addDot<F>(s00b, e0b, o0b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      const p1a = v128.load(x0, 32), e1a = first<F>(p1a), o1a = second<F>(p1a);
      s00a = addDot<F>(s00a, e1a, o1a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      const p1b = v128.load(x0, 48), e1b = first<F>(p1b), o1b = second<F>(p1b);
      s00b = addDot<F>(s00b, e1b, o1b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      const p2a = v128.load(x0, 64), e2a = first<F>(p2a), o2a = second<F>(p2a);
      s00a = addDot<F>(s00a, e2a, o2a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      const p2b = v128.load(x0, 80), e2b = first<F>(p2b), o2b = second<F>(p2b);
      s00b = addDot<F>(s00b, e2b, o2b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      const p3a = v128.load(x0, 96), e3a = first<F>(p3a), o3a = second<F>(p3a);
      s00a = addDot<F>(s00a, e3a, o3a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      const p3b = v128.load(x0, 112), e3b = first<F>(p3b), o3b = second<F>(p3b);
      s00b = addDot<F>(s00b, e3b, o3b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    wide00a = isNarrow<F>() ? flush(wide00a, s00a) : s00a;
    wide00b = isNarrow<F>() ? flush(wide00b, s00b) : s00b;
  }
  v128.store(scratch, wide00a, 0);
  v128.store(scratch, wide00b, 16);
  finish(y, scratch, record, scale, accumulate);
}

/** Four far rows × one token: an activation vector is loaded once for four rows. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function rows4x1<F>(w0: usize, w1: usize, w2: usize, w3: usize, blocks: usize, x0: usize, record: usize, y0: usize, y1: usize, y2: usize, y3: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let wide00a = zero, wide00b = zero;
  let wide10a = zero, wide10b = zero;
  let wide20a = zero, wide20b = zero;
  let wide30a = zero, wide30b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = isNarrow<F>() ? zero : wide00a, s00b = isNarrow<F>() ? zero : wide00b;
    let s10a = isNarrow<F>() ? zero : wide10a, s10b = isNarrow<F>() ? zero : wide10b;
    let s20a = isNarrow<F>() ? zero : wide20a, s20b = isNarrow<F>() ? zero : wide20b;
    let s30a = isNarrow<F>() ? zero : wide30a, s30b = isNarrow<F>() ? zero : wide30b;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const v2a = v128.load(w2), v2b = v128.load(w2, 16);
      const v3a = v128.load(w3), v3b = v128.load(w3, 16);
      const p0a = v128.load(x0, 0), e0a = first<F>(p0a), o0a = second<F>(p0a);
      s00a = addDot<F>(s00a, e0a, o0a, firstCodes<F>(v0a, 6, mask), secondCodes<F>(v0a, 6, mask));
      s10a = addDot<F>(s10a, e0a, o0a, firstCodes<F>(v1a, 6, mask), secondCodes<F>(v1a, 6, mask));
      s20a = addDot<F>(s20a, e0a, o0a, firstCodes<F>(v2a, 6, mask), secondCodes<F>(v2a, 6, mask));
      s30a = addDot<F>(s30a, e0a, o0a, firstCodes<F>(v3a, 6, mask), secondCodes<F>(v3a, 6, mask));
      const p0b = v128.load(x0, 16), e0b = first<F>(p0b), o0b = second<F>(p0b);
      s00b = addDot<F>(s00b, e0b, o0b, firstCodes<F>(v0b, 6, mask), secondCodes<F>(v0b, 6, mask));
      s10b = addDot<F>(s10b, e0b, o0b, firstCodes<F>(v1b, 6, mask), secondCodes<F>(v1b, 6, mask));
      s20b = addDot<F>(s20b, e0b, o0b, firstCodes<F>(v2b, 6, mask), secondCodes<F>(v2b, 6, mask));
      s30b = addDot<F>(s30b, e0b, o0b, firstCodes<F>(v3b, 6, mask), secondCodes<F>(v3b, 6, mask));
      const p1a = v128.load(x0, 32), e1a = first<F>(p1a), o1a = second<F>(p1a);
      s00a = addDot<F>(s00a, e1a, o1a, firstCodes<F>(v0a, 4, mask), secondCodes<F>(v0a, 4, mask));
      s10a = addDot<F>(s10a, e1a, o1a, firstCodes<F>(v1a, 4, mask), secondCodes<F>(v1a, 4, mask));
      s20a = addDot<F>(s20a, e1a, o1a, firstCodes<F>(v2a, 4, mask), secondCodes<F>(v2a, 4, mask));
      s30a = addDot<F>(s30a, e1a, o1a, firstCodes<F>(v3a, 4, mask), secondCodes<F>(v3a, 4, mask));
      const p1b = v128.load(x0, 48), e1b = first<F>(p1b), o1b = second<F>(p1b);
      s00b = addDot<F>(s00b, e1b, o1b, firstCodes<F>(v0b, 4, mask), secondCodes<F>(v0b, 4, mask));
      s10b = addDot<F>(s10b, e1b, o1b, firstCodes<F>(v1b, 4, mask), secondCodes<F>(v1b, 4, mask));
      s20b = addDot<F>(s20b, e1b, o1b, firstCodes<F>(v2b, 4, mask), secondCodes<F>(v2b, 4, mask));
      s30b = addDot<F>(s30b, e1b, o1b, firstCodes<F>(v3b, 4, mask), secondCodes<F>(v3b, 4, mask));
      const p2a = v128.load(x0, 64), e2a = first<F>(p2a), o2a = second<F>(p2a);
      s00a = addDot<F>(s00a, e2a, o2a, firstCodes<F>(v0a, 2, mask), secondCodes<F>(v0a, 2, mask));
      s10a = addDot<F>(s10a, e2a, o2a, firstCodes<F>(v1a, 2, mask), secondCodes<F>(v1a, 2, mask));
      s20a = addDot<F>(s20a, e2a, o2a, firstCodes<F>(v2a, 2, mask), secondCodes<F>(v2a, 2, mask));
      s30a = addDot<F>(s30a, e2a, o2a, firstCodes<F>(v3a, 2, mask), secondCodes<F>(v3a, 2, mask));
      const p2b = v128.load(x0, 80), e2b = first<F>(p2b), o2b = second<F>(p2b);
      s00b = addDot<F>(s00b, e2b, o2b, firstCodes<F>(v0b, 2, mask), secondCodes<F>(v0b, 2, mask));
      s10b = addDot<F>(s10b, e2b, o2b, firstCodes<F>(v1b, 2, mask), secondCodes<F>(v1b, 2, mask));
      s20b = addDot<F>(s20b, e2b, o2b, firstCodes<F>(v2b, 2, mask), secondCodes<F>(v2b, 2, mask));
      s30b = addDot<F>(s30b, e2b, o2b, firstCodes<F>(v3b, 2, mask), secondCodes<F>(v3b, 2, mask));
      const p3a = v128.load(x0, 96), e3a = first<F>(p3a), o3a = second<F>(p3a);
      s00a = addDot<F>(s00a, e3a, o3a, firstCodes<F>(v0a, 0, mask), secondCodes<F>(v0a, 0, mask));
      s10a = addDot<F>(s10a, e3a, o3a, firstCodes<F>(v1a, 0, mask), secondCodes<F>(v1a, 0, mask));
      s20a = addDot<F>(s20a, e3a, o3a, firstCodes<F>(v2a, 0, mask), secondCodes<F>(v2a, 0, mask));
      s30a = addDot<F>(s30a, e3a, o3a, firstCodes<F>(v3a, 0, mask), secondCodes<F>(v3a, 0, mask));
      const p3b = v128.load(x0, 112), e3b = first<F>(p3b), o3b = second<F>(p3b);
      s00b = addDot<F>(s00b, e3b, o3b, firstCodes<F>(v0b, 0, mask), secondCodes<F>(v0b, 0, mask));
      s10b = addDot<F>(s10b, e3b, o3b, firstCodes<F>(v1b, 0, mask), secondCodes<F>(v1b, 0, mask));
      s20b = addDot<F>(s20b, e3b, o3b, firstCodes<F>(v2b, 0, mask), secondCodes<F>(v2b, 0, mask));
      s30b = addDot<F>(s30b, e3b, o3b, firstCodes<F>(v3b, 0, mask), secondCodes<F>(v3b, 0, mask));
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; w3 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    wide00a = isNarrow<F>() ? flush(wide00a, s00a) : s00a;
    wide00b = isNarrow<F>() ? flush(wide00b, s00b) : s00b;
    wide10a = isNarrow<F>() ? flush(wide10a, s10a) : s10a;
    wide10b = isNarrow<F>() ? flush(wide10b, s10b) : s10b;
    wide20a = isNarrow<F>() ? flush(wide20a, s20a) : s20a;
    wide20b = isNarrow<F>() ? flush(wide20b, s20b) : s20b;
    wide30a = isNarrow<F>() ? flush(wide30a, s30a) : s30a;
    wide30b = isNarrow<F>() ? flush(wide30b, s30b) : s30b;
  }
  v128.store(scratch, wide00a, 0);
  v128.store(scratch, wide00b, 16);
  v128.store(scratch, wide10a, 32);
  v128.store(scratch, wide10b, 48);
  v128.store(scratch, wide20a, 64);
  v128.store(scratch, wide20b, 80);
  v128.store(scratch, wide30a, 96);
  v128.store(scratch, wide30b, 112);
  finish(y0, scratch, record, scale, accumulate);
  finish(y1, scratch + 32, record, scale, accumulate);
  finish(y2, scratch + 64, record, scale, accumulate);
  finish(y3, scratch + 96, record, scale, accumulate);
}

/** Two far rows × four tokens: codes are unpacked once for four tokens. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function rows2x4<F>(w0: usize, streamBytes: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, streamRows: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let w1 = w0 + streamBytes;
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let wide00a = zero, wide00b = zero, wide01a = zero, wide01b = zero, wide02a = zero, wide02b = zero, wide03a = zero, wide03b = zero;
  let wide10a = zero, wide10b = zero, wide11a = zero, wide11b = zero, wide12a = zero, wide12b = zero, wide13a = zero, wide13b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = isNarrow<F>() ? zero : wide00a, s00b = isNarrow<F>() ? zero : wide00b, s01a = isNarrow<F>() ? zero : wide01a, s01b = isNarrow<F>() ? zero : wide01b, s02a = isNarrow<F>() ? zero : wide02a, s02b = isNarrow<F>() ? zero : wide02b, s03a = isNarrow<F>() ? zero : wide03a, s03b = isNarrow<F>() ? zero : wide03b;
    let s10a = isNarrow<F>() ? zero : wide10a, s10b = isNarrow<F>() ? zero : wide10b, s11a = isNarrow<F>() ? zero : wide11a, s11b = isNarrow<F>() ? zero : wide11b, s12a = isNarrow<F>() ? zero : wide12a, s12b = isNarrow<F>() ? zero : wide12b, s13a = isNarrow<F>() ? zero : wide13a, s13b = isNarrow<F>() ? zero : wide13b;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const v1a = v128.load(w1), v1b = v128.load(w1, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const c01a = firstCodes<F>(v1a, 6, mask), d01a = secondCodes<F>(v1a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      s00a = addDot<F>(s00a, e00a, o00a, c00a, d00a);
      s10a = addDot<F>(s10a, e00a, o00a, c01a, d01a);
      const p01a = v128.load(x1, 0), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s01a = addDot<F>(s01a, e01a, o01a, c00a, d00a);
      s11a = addDot<F>(s11a, e01a, o01a, c01a, d01a);
      const p02a = v128.load(x2, 0), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s02a = addDot<F>(s02a, e02a, o02a, c00a, d00a);
      s12a = addDot<F>(s12a, e02a, o02a, c01a, d01a);
      const p03a = v128.load(x3, 0), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s03a = addDot<F>(s03a, e03a, o03a, c00a, d00a);
      s13a = addDot<F>(s13a, e03a, o03a, c01a, d01a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const c01b = firstCodes<F>(v1b, 6, mask), d01b = secondCodes<F>(v1b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      s00b = addDot<F>(s00b, e00b, o00b, c00b, d00b);
      s10b = addDot<F>(s10b, e00b, o00b, c01b, d01b);
      const p01b = v128.load(x1, 16), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s01b = addDot<F>(s01b, e01b, o01b, c00b, d00b);
      s11b = addDot<F>(s11b, e01b, o01b, c01b, d01b);
      const p02b = v128.load(x2, 16), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s02b = addDot<F>(s02b, e02b, o02b, c00b, d00b);
      s12b = addDot<F>(s12b, e02b, o02b, c01b, d01b);
      const p03b = v128.load(x3, 16), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s03b = addDot<F>(s03b, e03b, o03b, c00b, d00b);
      s13b = addDot<F>(s13b, e03b, o03b, c01b, d01b);
      const c10a = firstCodes<F>(v0a, 4, mask), d10a = secondCodes<F>(v0a, 4, mask);
      const c11a = firstCodes<F>(v1a, 4, mask), d11a = secondCodes<F>(v1a, 4, mask);
      const p10a = v128.load(x0, 32), e10a = first<F>(p10a), o10a = second<F>(p10a);
      s00a = addDot<F>(s00a, e10a, o10a, c10a, d10a);
      s10a = addDot<F>(s10a, e10a, o10a, c11a, d11a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      s01a = addDot<F>(s01a, e11a, o11a, c10a, d10a);
      s11a = addDot<F>(s11a, e11a, o11a, c11a, d11a);
      const p12a = v128.load(x2, 32), e12a = first<F>(p12a), o12a = second<F>(p12a);
      s02a = addDot<F>(s02a, e12a, o12a, c10a, d10a);
      s12a = addDot<F>(s12a, e12a, o12a, c11a, d11a);
      const p13a = v128.load(x3, 32), e13a = first<F>(p13a), o13a = second<F>(p13a);
      s03a = addDot<F>(s03a, e13a, o13a, c10a, d10a);
      s13a = addDot<F>(s13a, e13a, o13a, c11a, d11a);
      const c10b = firstCodes<F>(v0b, 4, mask), d10b = secondCodes<F>(v0b, 4, mask);
      const c11b = firstCodes<F>(v1b, 4, mask), d11b = secondCodes<F>(v1b, 4, mask);
      const p10b = v128.load(x0, 48), e10b = first<F>(p10b), o10b = second<F>(p10b);
      s00b = addDot<F>(s00b, e10b, o10b, c10b, d10b);
      s10b = addDot<F>(s10b, e10b, o10b, c11b, d11b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      s01b = addDot<F>(s01b, e11b, o11b, c10b, d10b);
      s11b = addDot<F>(s11b, e11b, o11b, c11b, d11b);
      const p12b = v128.load(x2, 48), e12b = first<F>(p12b), o12b = second<F>(p12b);
      s02b = addDot<F>(s02b, e12b, o12b, c10b, d10b);
      s12b = addDot<F>(s12b, e12b, o12b, c11b, d11b);
      const p13b = v128.load(x3, 48), e13b = first<F>(p13b), o13b = second<F>(p13b);
      s03b = addDot<F>(s03b, e13b, o13b, c10b, d10b);
      s13b = addDot<F>(s13b, e13b, o13b, c11b, d11b);
      const c20a = firstCodes<F>(v0a, 2, mask), d20a = secondCodes<F>(v0a, 2, mask);
      const c21a = firstCodes<F>(v1a, 2, mask), d21a = secondCodes<F>(v1a, 2, mask);
      const p20a = v128.load(x0, 64), e20a = first<F>(p20a), o20a = second<F>(p20a);
      s00a = addDot<F>(s00a, e20a, o20a, c20a, d20a);
      s10a = addDot<F>(s10a, e20a, o20a, c21a, d21a);
      const p21a = v128.load(x1, 64), e21a = first<F>(p21a), o21a = second<F>(p21a);
      s01a = addDot<F>(s01a, e21a, o21a, c20a, d20a);
      s11a = addDot<F>(s11a, e21a, o21a, c21a, d21a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      s02a = addDot<F>(s02a, e22a, o22a, c20a, d20a);
      s12a = addDot<F>(s12a, e22a, o22a, c21a, d21a);
      const p23a = v128.load(x3, 64), e23a = first<F>(p23a), o23a = second<F>(p23a);
      s03a = addDot<F>(s03a, e23a, o23a, c20a, d20a);
      s13a = addDot<F>(s13a, e23a, o23a, c21a, d21a);
      const c20b = firstCodes<F>(v0b, 2, mask), d20b = secondCodes<F>(v0b, 2, mask);
      const c21b = firstCodes<F>(v1b, 2, mask), d21b = secondCodes<F>(v1b, 2, mask);
      const p20b = v128.load(x0, 80), e20b = first<F>(p20b), o20b = second<F>(p20b);
      s00b = addDot<F>(s00b, e20b, o20b, c20b, d20b);
      s10b = addDot<F>(s10b, e20b, o20b, c21b, d21b);
      const p21b = v128.load(x1, 80), e21b = first<F>(p21b), o21b = second<F>(p21b);
      s01b = addDot<F>(s01b, e21b, o21b, c20b, d20b);
      s11b = addDot<F>(s11b, e21b, o21b, c21b, d21b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      s02b = addDot<F>(s02b, e22b, o22b, c20b, d20b);
      s12b = addDot<F>(s12b, e22b, o22b, c21b, d21b);
      const p23b = v128.load(x3, 80), e23b = first<F>(p23b), o23b = second<F>(p23b);
      s03b = addDot<F>(s03b, e23b, o23b, c20b, d20b);
      s13b = addDot<F>(s13b, e23b, o23b, c21b, d21b);
      const c30a = firstCodes<F>(v0a, 0, mask), d30a = secondCodes<F>(v0a, 0, mask);
      const c31a = firstCodes<F>(v1a, 0, mask), d31a = secondCodes<F>(v1a, 0, mask);
      const p30a = v128.load(x0, 96), e30a = first<F>(p30a), o30a = second<F>(p30a);
      s00a = addDot<F>(s00a, e30a, o30a, c30a, d30a);
      s10a = addDot<F>(s10a, e30a, o30a, c31a, d31a);
      const p31a = v128.load(x1, 96), e31a = first<F>(p31a), o31a = second<F>(p31a);
      s01a = addDot<F>(s01a, e31a, o31a, c30a, d30a);
      s11a = addDot<F>(s11a, e31a, o31a, c31a, d31a);
      const p32a = v128.load(x2, 96), e32a = first<F>(p32a), o32a = second<F>(p32a);
      s02a = addDot<F>(s02a, e32a, o32a, c30a, d30a);
      s12a = addDot<F>(s12a, e32a, o32a, c31a, d31a);
      const p33a = v128.load(x3, 96), e33a = first<F>(p33a), o33a = second<F>(p33a);
      s03a = addDot<F>(s03a, e33a, o33a, c30a, d30a);
      s13a = addDot<F>(s13a, e33a, o33a, c31a, d31a);
      const c30b = firstCodes<F>(v0b, 0, mask), d30b = secondCodes<F>(v0b, 0, mask);
      const c31b = firstCodes<F>(v1b, 0, mask), d31b = secondCodes<F>(v1b, 0, mask);
      const p30b = v128.load(x0, 112), e30b = first<F>(p30b), o30b = second<F>(p30b);
      s00b = addDot<F>(s00b, e30b, o30b, c30b, d30b);
      s10b = addDot<F>(s10b, e30b, o30b, c31b, d31b);
      const p31b = v128.load(x1, 112), e31b = first<F>(p31b), o31b = second<F>(p31b);
      s01b = addDot<F>(s01b, e31b, o31b, c30b, d30b);
      s11b = addDot<F>(s11b, e31b, o31b, c31b, d31b);
      const p32b = v128.load(x2, 112), e32b = first<F>(p32b), o32b = second<F>(p32b);
      s02b = addDot<F>(s02b, e32b, o32b, c30b, d30b);
      s12b = addDot<F>(s12b, e32b, o32b, c31b, d31b);
      const p33b = v128.load(x3, 112), e33b = first<F>(p33b), o33b = second<F>(p33b);
      s03b = addDot<F>(s03b, e33b, o33b, c30b, d30b);
      s13b = addDot<F>(s13b, e33b, o33b, c31b, d31b);
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    wide00a = isNarrow<F>() ? flush(wide00a, s00a) : s00a;
    wide00b = isNarrow<F>() ? flush(wide00b, s00b) : s00b;
    wide01a = isNarrow<F>() ? flush(wide01a, s01a) : s01a;
    wide01b = isNarrow<F>() ? flush(wide01b, s01b) : s01b;
    wide02a = isNarrow<F>() ? flush(wide02a, s02a) : s02a;
    wide02b = isNarrow<F>() ? flush(wide02b, s02b) : s02b;
    wide03a = isNarrow<F>() ? flush(wide03a, s03a) : s03a;
    wide03b = isNarrow<F>() ? flush(wide03b, s03b) : s03b;
    wide10a = isNarrow<F>() ? flush(wide10a, s10a) : s10a;
    wide10b = isNarrow<F>() ? flush(wide10b, s10b) : s10b;
    wide11a = isNarrow<F>() ? flush(wide11a, s11a) : s11a;
    wide11b = isNarrow<F>() ? flush(wide11b, s11b) : s11b;
    wide12a = isNarrow<F>() ? flush(wide12a, s12a) : s12a;
    wide12b = isNarrow<F>() ? flush(wide12b, s12b) : s12b;
    wide13a = isNarrow<F>() ? flush(wide13a, s13a) : s13a;
    wide13b = isNarrow<F>() ? flush(wide13b, s13b) : s13b;
  }
  v128.store(scratch, wide00a, 0);
  v128.store(scratch, wide00b, 16);
  v128.store(scratch, wide01a, 32);
  v128.store(scratch, wide01b, 48);
  v128.store(scratch, wide02a, 64);
  v128.store(scratch, wide02b, 80);
  v128.store(scratch, wide03a, 96);
  v128.store(scratch, wide03b, 112);
  v128.store(scratch, wide10a, 128);
  v128.store(scratch, wide10b, 144);
  v128.store(scratch, wide11a, 160);
  v128.store(scratch, wide11b, 176);
  v128.store(scratch, wide12a, 192);
  v128.store(scratch, wide12b, 208);
  v128.store(scratch, wide13a, 224);
  v128.store(scratch, wide13b, 240);
  finish(y, scratch, record, scale, accumulate);
  finish(y + streamRows * 4, scratch + 128, record, scale, accumulate);
  finish(y + yStride, scratch + 32, record + RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + yStride, scratch + 160, record + RECORD_BYTES, scale, accumulate);
  finish(y + 2 * yStride, scratch + 64, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + 2 * yStride, scratch + 192, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + 3 * yStride, scratch + 96, record + 3 * RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + 3 * yStride, scratch + 224, record + 3 * RECORD_BYTES, scale, accumulate);
}

/** One row × four tokens. */
// prettier-ignore
// @ts-ignore: decorator
@inline
export function row1x4<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, yStride: usize, scratch: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let wide00a = zero, wide00b = zero, wide01a = zero, wide01b = zero, wide02a = zero, wide02b = zero, wide03a = zero, wide03b = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00a = isNarrow<F>() ? zero : wide00a, s00b = isNarrow<F>() ? zero : wide00b, s01a = isNarrow<F>() ? zero : wide01a, s01b = isNarrow<F>() ? zero : wide01b, s02a = isNarrow<F>() ? zero : wide02a, s02b = isNarrow<F>() ? zero : wide02b, s03a = isNarrow<F>() ? zero : wide03a, s03b = isNarrow<F>() ? zero : wide03b;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0a = v128.load(w0), v0b = v128.load(w0, 16);
      const c00a = firstCodes<F>(v0a, 6, mask), d00a = secondCodes<F>(v0a, 6, mask);
      const p00a = v128.load(x0, 0), e00a = first<F>(p00a), o00a = second<F>(p00a);
      s00a = addDot<F>(s00a, e00a, o00a, c00a, d00a);
      const p01a = v128.load(x1, 0), e01a = first<F>(p01a), o01a = second<F>(p01a);
      s01a = addDot<F>(s01a, e01a, o01a, c00a, d00a);
      const p02a = v128.load(x2, 0), e02a = first<F>(p02a), o02a = second<F>(p02a);
      s02a = addDot<F>(s02a, e02a, o02a, c00a, d00a);
      const p03a = v128.load(x3, 0), e03a = first<F>(p03a), o03a = second<F>(p03a);
      s03a = addDot<F>(s03a, e03a, o03a, c00a, d00a);
      const c00b = firstCodes<F>(v0b, 6, mask), d00b = secondCodes<F>(v0b, 6, mask);
      const p00b = v128.load(x0, 16), e00b = first<F>(p00b), o00b = second<F>(p00b);
      s00b = addDot<F>(s00b, e00b, o00b, c00b, d00b);
      const p01b = v128.load(x1, 16), e01b = first<F>(p01b), o01b = second<F>(p01b);
      s01b = addDot<F>(s01b, e01b, o01b, c00b, d00b);
      const p02b = v128.load(x2, 16), e02b = first<F>(p02b), o02b = second<F>(p02b);
      s02b = addDot<F>(s02b, e02b, o02b, c00b, d00b);
      const p03b = v128.load(x3, 16), e03b = first<F>(p03b), o03b = second<F>(p03b);
      s03b = addDot<F>(s03b, e03b, o03b, c00b, d00b);
      const c10a = firstCodes<F>(v0a, 4, mask), d10a = secondCodes<F>(v0a, 4, mask);
      const p10a = v128.load(x0, 32), e10a = first<F>(p10a), o10a = second<F>(p10a);
      s00a = addDot<F>(s00a, e10a, o10a, c10a, d10a);
      const p11a = v128.load(x1, 32), e11a = first<F>(p11a), o11a = second<F>(p11a);
      s01a = addDot<F>(s01a, e11a, o11a, c10a, d10a);
      const p12a = v128.load(x2, 32), e12a = first<F>(p12a), o12a = second<F>(p12a);
      s02a = addDot<F>(s02a, e12a, o12a, c10a, d10a);
      const p13a = v128.load(x3, 32), e13a = first<F>(p13a), o13a = second<F>(p13a);
      s03a = addDot<F>(s03a, e13a, o13a, c10a, d10a);
      const c10b = firstCodes<F>(v0b, 4, mask), d10b = secondCodes<F>(v0b, 4, mask);
      const p10b = v128.load(x0, 48), e10b = first<F>(p10b), o10b = second<F>(p10b);
      s00b = addDot<F>(s00b, e10b, o10b, c10b, d10b);
      const p11b = v128.load(x1, 48), e11b = first<F>(p11b), o11b = second<F>(p11b);
      s01b = addDot<F>(s01b, e11b, o11b, c10b, d10b);
      const p12b = v128.load(x2, 48), e12b = first<F>(p12b), o12b = second<F>(p12b);
      s02b = addDot<F>(s02b, e12b, o12b, c10b, d10b);
      const p13b = v128.load(x3, 48), e13b = first<F>(p13b), o13b = second<F>(p13b);
      s03b = addDot<F>(s03b, e13b, o13b, c10b, d10b);
      const c20a = firstCodes<F>(v0a, 2, mask), d20a = secondCodes<F>(v0a, 2, mask);
      const p20a = v128.load(x0, 64), e20a = first<F>(p20a), o20a = second<F>(p20a);
      s00a = addDot<F>(s00a, e20a, o20a, c20a, d20a);
      const p21a = v128.load(x1, 64), e21a = first<F>(p21a), o21a = second<F>(p21a);
      s01a = addDot<F>(s01a, e21a, o21a, c20a, d20a);
      const p22a = v128.load(x2, 64), e22a = first<F>(p22a), o22a = second<F>(p22a);
      s02a = addDot<F>(s02a, e22a, o22a, c20a, d20a);
      const p23a = v128.load(x3, 64), e23a = first<F>(p23a), o23a = second<F>(p23a);
      s03a = addDot<F>(s03a, e23a, o23a, c20a, d20a);
      const c20b = firstCodes<F>(v0b, 2, mask), d20b = secondCodes<F>(v0b, 2, mask);
      const p20b = v128.load(x0, 80), e20b = first<F>(p20b), o20b = second<F>(p20b);
      s00b = addDot<F>(s00b, e20b, o20b, c20b, d20b);
      const p21b = v128.load(x1, 80), e21b = first<F>(p21b), o21b = second<F>(p21b);
      s01b = addDot<F>(s01b, e21b, o21b, c20b, d20b);
      const p22b = v128.load(x2, 80), e22b = first<F>(p22b), o22b = second<F>(p22b);
      s02b = addDot<F>(s02b, e22b, o22b, c20b, d20b);
      const p23b = v128.load(x3, 80), e23b = first<F>(p23b), o23b = second<F>(p23b);
      s03b = addDot<F>(s03b, e23b, o23b, c20b, d20b);
      const c30a = firstCodes<F>(v0a, 0, mask), d30a = secondCodes<F>(v0a, 0, mask);
      const p30a = v128.load(x0, 96), e30a = first<F>(p30a), o30a = second<F>(p30a);
      s00a = addDot<F>(s00a, e30a, o30a, c30a, d30a);
      const p31a = v128.load(x1, 96), e31a = first<F>(p31a), o31a = second<F>(p31a);
      s01a = addDot<F>(s01a, e31a, o31a, c30a, d30a);
      const p32a = v128.load(x2, 96), e32a = first<F>(p32a), o32a = second<F>(p32a);
      s02a = addDot<F>(s02a, e32a, o32a, c30a, d30a);
      const p33a = v128.load(x3, 96), e33a = first<F>(p33a), o33a = second<F>(p33a);
      s03a = addDot<F>(s03a, e33a, o33a, c30a, d30a);
      const c30b = firstCodes<F>(v0b, 0, mask), d30b = secondCodes<F>(v0b, 0, mask);
      const p30b = v128.load(x0, 112), e30b = first<F>(p30b), o30b = second<F>(p30b);
      s00b = addDot<F>(s00b, e30b, o30b, c30b, d30b);
      const p31b = v128.load(x1, 112), e31b = first<F>(p31b), o31b = second<F>(p31b);
      s01b = addDot<F>(s01b, e31b, o31b, c30b, d30b);
      const p32b = v128.load(x2, 112), e32b = first<F>(p32b), o32b = second<F>(p32b);
      s02b = addDot<F>(s02b, e32b, o32b, c30b, d30b);
      const p33b = v128.load(x3, 112), e33b = first<F>(p33b), o33b = second<F>(p33b);
      s03b = addDot<F>(s03b, e33b, o33b, c30b, d30b);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    wide00a = isNarrow<F>() ? flush(wide00a, s00a) : s00a;
    wide00b = isNarrow<F>() ? flush(wide00b, s00b) : s00b;
    wide01a = isNarrow<F>() ? flush(wide01a, s01a) : s01a;
    wide01b = isNarrow<F>() ? flush(wide01b, s01b) : s01b;
    wide02a = isNarrow<F>() ? flush(wide02a, s02a) : s02a;
    wide02b = isNarrow<F>() ? flush(wide02b, s02b) : s02b;
    wide03a = isNarrow<F>() ? flush(wide03a, s03a) : s03a;
    wide03b = isNarrow<F>() ? flush(wide03b, s03b) : s03b;
  }
  v128.store(scratch, wide00a, 0);
  v128.store(scratch, wide00b, 16);
  v128.store(scratch, wide01a, 32);
  v128.store(scratch, wide01b, 48);
  v128.store(scratch, wide02a, 64);
  v128.store(scratch, wide02b, 80);
  v128.store(scratch, wide03a, 96);
  v128.store(scratch, wide03b, 112);
  finish(y, scratch, record, scale, accumulate);
  finish(y + yStride, scratch + 32, record + RECORD_BYTES, scale, accumulate);
  finish(y + 2 * yStride, scratch + 64, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + 3 * yStride, scratch + 96, record + 3 * RECORD_BYTES, scale, accumulate);
}
