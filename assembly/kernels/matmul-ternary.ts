// Ternary rows × int8 activations.
//
// Layout "ternary-rows": row-major, cols/4 bytes a row, in blocks of 64 weights = 16 bytes. Byte j of a block holds weights
// j, 16+j, 32+j and 48+j in bits 1-0, 3-2, 5-4 and 7-6, as code = weight + 1. So one vector of weights meets four vectors
// of activations in their natural order. Codes are not signed: Σ w·x = Σ code·x − Σ x, with Σ x known once per token.
//
// Rows that a call walks together lie far apart (a quarter of its rows each), every one a sequential stream of its own:
// the hardware prefetcher follows streams within 4 KiB pages, so several keep several misses in flight. Neighbouring rows
// were 2× slower on weights larger than the cache (docs/KERNELS.md).

import {
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

/** Bytes of 64 weights. */
// @ts-ignore: decorator
@inline
const BLOCK_BYTES: usize = 16;
/** Bytes of the 64 activations they meet. */
// @ts-ignore: decorator
@inline
const BLOCK_COLS: usize = 64;
/** What quantize_activations_i8 leaves per token: f32 scale s, i32 sum Σ x. */
// @ts-ignore: decorator
@inline
const RECORD_BYTES: usize = 8;

/** y = (Σ codes·x − Σ x) / s · d in f32 in this order, as the native engine has it; added to y if asked. */
// @ts-ignore: decorator
@inline
function finish(y: usize, sums: v128, record: usize, scale: f32, accumulate: bool): void {
  const value = (<f32>(sumLanesI32(sums) - load<i32>(record, 4)) / load<f32>(record)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** One row × one token: what is left over at the end of a range. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function row1x1<F>(w0: usize, blocks: usize, x0: usize, record: usize, y: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let wide00 = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00 = isNarrow<F>() ? zero : wide00;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0 = v128.load(w0);
      const p00 = v128.load(x0, 0), a00 = first<F>(p00), b00 = second<F>(p00);
      s00 = addDot<F>(s00, a00, b00, firstCodes<F>(v0, 0, mask), secondCodes<F>(v0, 0, mask));
      const p10 = v128.load(x0, 16), a10 = first<F>(p10), b10 = second<F>(p10);
      s00 = addDot<F>(s00, a10, b10, firstCodes<F>(v0, 2, mask), secondCodes<F>(v0, 2, mask));
      const p20 = v128.load(x0, 32), a20 = first<F>(p20), b20 = second<F>(p20);
      s00 = addDot<F>(s00, a20, b20, firstCodes<F>(v0, 4, mask), secondCodes<F>(v0, 4, mask));
      const p30 = v128.load(x0, 48), a30 = first<F>(p30), b30 = second<F>(p30);
      s00 = addDot<F>(s00, a30, b30, firstCodes<F>(v0, 6, mask), secondCodes<F>(v0, 6, mask));
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    wide00 = isNarrow<F>() ? flush(wide00, s00) : s00;
  }
  finish(y, wide00, record, scale, accumulate);
}

/** Four far rows × one token. An activation vector is loaded once for four rows; at most a dozen vectors are live. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function rows4x1<F>(w0: usize, streamBytes: usize, blocks: usize, x0: usize, record: usize, y: usize, streamRows: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let w1 = w0 + streamBytes, w2 = w1 + streamBytes, w3 = w2 + streamBytes;
  let wide00 = zero, wide10 = zero, wide20 = zero, wide30 = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00 = isNarrow<F>() ? zero : wide00, s10 = isNarrow<F>() ? zero : wide10, s20 = isNarrow<F>() ? zero : wide20, s30 = isNarrow<F>() ? zero : wide30;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0 = v128.load(w0), v1 = v128.load(w1), v2 = v128.load(w2), v3 = v128.load(w3);
      const p00 = v128.load(x0, 0), a00 = first<F>(p00), b00 = second<F>(p00);
      s00 = addDot<F>(s00, a00, b00, firstCodes<F>(v0, 0, mask), secondCodes<F>(v0, 0, mask));
      s10 = addDot<F>(s10, a00, b00, firstCodes<F>(v1, 0, mask), secondCodes<F>(v1, 0, mask));
      s20 = addDot<F>(s20, a00, b00, firstCodes<F>(v2, 0, mask), secondCodes<F>(v2, 0, mask));
      s30 = addDot<F>(s30, a00, b00, firstCodes<F>(v3, 0, mask), secondCodes<F>(v3, 0, mask));
      const p10 = v128.load(x0, 16), a10 = first<F>(p10), b10 = second<F>(p10);
      s00 = addDot<F>(s00, a10, b10, firstCodes<F>(v0, 2, mask), secondCodes<F>(v0, 2, mask));
      s10 = addDot<F>(s10, a10, b10, firstCodes<F>(v1, 2, mask), secondCodes<F>(v1, 2, mask));
      s20 = addDot<F>(s20, a10, b10, firstCodes<F>(v2, 2, mask), secondCodes<F>(v2, 2, mask));
      s30 = addDot<F>(s30, a10, b10, firstCodes<F>(v3, 2, mask), secondCodes<F>(v3, 2, mask));
      const p20 = v128.load(x0, 32), a20 = first<F>(p20), b20 = second<F>(p20);
      s00 = addDot<F>(s00, a20, b20, firstCodes<F>(v0, 4, mask), secondCodes<F>(v0, 4, mask));
      s10 = addDot<F>(s10, a20, b20, firstCodes<F>(v1, 4, mask), secondCodes<F>(v1, 4, mask));
      s20 = addDot<F>(s20, a20, b20, firstCodes<F>(v2, 4, mask), secondCodes<F>(v2, 4, mask));
      s30 = addDot<F>(s30, a20, b20, firstCodes<F>(v3, 4, mask), secondCodes<F>(v3, 4, mask));
      const p30 = v128.load(x0, 48), a30 = first<F>(p30), b30 = second<F>(p30);
      s00 = addDot<F>(s00, a30, b30, firstCodes<F>(v0, 6, mask), secondCodes<F>(v0, 6, mask));
      s10 = addDot<F>(s10, a30, b30, firstCodes<F>(v1, 6, mask), secondCodes<F>(v1, 6, mask));
      s20 = addDot<F>(s20, a30, b30, firstCodes<F>(v2, 6, mask), secondCodes<F>(v2, 6, mask));
      s30 = addDot<F>(s30, a30, b30, firstCodes<F>(v3, 6, mask), secondCodes<F>(v3, 6, mask));
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; w2 += BLOCK_BYTES; w3 += BLOCK_BYTES; x0 += BLOCK_COLS;
    }
    wide00 = isNarrow<F>() ? flush(wide00, s00) : s00;
    wide10 = isNarrow<F>() ? flush(wide10, s10) : s10;
    wide20 = isNarrow<F>() ? flush(wide20, s20) : s20;
    wide30 = isNarrow<F>() ? flush(wide30, s30) : s30;
  }
  finish(y, wide00, record, scale, accumulate);
  finish(y + streamRows * 4, wide10, record, scale, accumulate);
  finish(y + 2 * streamRows * 4, wide20, record, scale, accumulate);
  finish(y + 3 * streamRows * 4, wide30, record, scale, accumulate);
}

/** Two far rows × four tokens: codes are unpacked once for four tokens. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function rows2x4<F>(w0: usize, streamBytes: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, streamRows: usize, yStride: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let w1 = w0 + streamBytes;
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let wide00 = zero, wide01 = zero, wide02 = zero, wide03 = zero, wide10 = zero, wide11 = zero, wide12 = zero, wide13 = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00 = isNarrow<F>() ? zero : wide00, s01 = isNarrow<F>() ? zero : wide01, s02 = isNarrow<F>() ? zero : wide02, s03 = isNarrow<F>() ? zero : wide03, s10 = isNarrow<F>() ? zero : wide10, s11 = isNarrow<F>() ? zero : wide11, s12 = isNarrow<F>() ? zero : wide12, s13 = isNarrow<F>() ? zero : wide13;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0 = v128.load(w0), v1 = v128.load(w1);
      const c00 = firstCodes<F>(v0, 0, mask), d00 = secondCodes<F>(v0, 0, mask);
      const c01 = firstCodes<F>(v1, 0, mask), d01 = secondCodes<F>(v1, 0, mask);
      const p00 = v128.load(x0, 0), a00 = first<F>(p00), b00 = second<F>(p00);
      s00 = addDot<F>(s00, a00, b00, c00, d00);
      s10 = addDot<F>(s10, a00, b00, c01, d01);
      const p01 = v128.load(x1, 0), a01 = first<F>(p01), b01 = second<F>(p01);
      s01 = addDot<F>(s01, a01, b01, c00, d00);
      s11 = addDot<F>(s11, a01, b01, c01, d01);
      const p02 = v128.load(x2, 0), a02 = first<F>(p02), b02 = second<F>(p02);
      s02 = addDot<F>(s02, a02, b02, c00, d00);
      s12 = addDot<F>(s12, a02, b02, c01, d01);
      const p03 = v128.load(x3, 0), a03 = first<F>(p03), b03 = second<F>(p03);
      s03 = addDot<F>(s03, a03, b03, c00, d00);
      s13 = addDot<F>(s13, a03, b03, c01, d01);
      const c10 = firstCodes<F>(v0, 2, mask), d10 = secondCodes<F>(v0, 2, mask);
      const c11 = firstCodes<F>(v1, 2, mask), d11 = secondCodes<F>(v1, 2, mask);
      const p10 = v128.load(x0, 16), a10 = first<F>(p10), b10 = second<F>(p10);
      s00 = addDot<F>(s00, a10, b10, c10, d10);
      s10 = addDot<F>(s10, a10, b10, c11, d11);
      const p11 = v128.load(x1, 16), a11 = first<F>(p11), b11 = second<F>(p11);
      s01 = addDot<F>(s01, a11, b11, c10, d10);
      s11 = addDot<F>(s11, a11, b11, c11, d11);
      const p12 = v128.load(x2, 16), a12 = first<F>(p12), b12 = second<F>(p12);
      s02 = addDot<F>(s02, a12, b12, c10, d10);
      s12 = addDot<F>(s12, a12, b12, c11, d11);
      const p13 = v128.load(x3, 16), a13 = first<F>(p13), b13 = second<F>(p13);
      s03 = addDot<F>(s03, a13, b13, c10, d10);
      s13 = addDot<F>(s13, a13, b13, c11, d11);
      const c20 = firstCodes<F>(v0, 4, mask), d20 = secondCodes<F>(v0, 4, mask);
      const c21 = firstCodes<F>(v1, 4, mask), d21 = secondCodes<F>(v1, 4, mask);
      const p20 = v128.load(x0, 32), a20 = first<F>(p20), b20 = second<F>(p20);
      s00 = addDot<F>(s00, a20, b20, c20, d20);
      s10 = addDot<F>(s10, a20, b20, c21, d21);
      const p21 = v128.load(x1, 32), a21 = first<F>(p21), b21 = second<F>(p21);
      s01 = addDot<F>(s01, a21, b21, c20, d20);
      s11 = addDot<F>(s11, a21, b21, c21, d21);
      const p22 = v128.load(x2, 32), a22 = first<F>(p22), b22 = second<F>(p22);
      s02 = addDot<F>(s02, a22, b22, c20, d20);
      s12 = addDot<F>(s12, a22, b22, c21, d21);
      const p23 = v128.load(x3, 32), a23 = first<F>(p23), b23 = second<F>(p23);
      s03 = addDot<F>(s03, a23, b23, c20, d20);
      s13 = addDot<F>(s13, a23, b23, c21, d21);
      const c30 = firstCodes<F>(v0, 6, mask), d30 = secondCodes<F>(v0, 6, mask);
      const c31 = firstCodes<F>(v1, 6, mask), d31 = secondCodes<F>(v1, 6, mask);
      const p30 = v128.load(x0, 48), a30 = first<F>(p30), b30 = second<F>(p30);
      s00 = addDot<F>(s00, a30, b30, c30, d30);
      s10 = addDot<F>(s10, a30, b30, c31, d31);
      const p31 = v128.load(x1, 48), a31 = first<F>(p31), b31 = second<F>(p31);
      s01 = addDot<F>(s01, a31, b31, c30, d30);
      s11 = addDot<F>(s11, a31, b31, c31, d31);
      const p32 = v128.load(x2, 48), a32 = first<F>(p32), b32 = second<F>(p32);
      s02 = addDot<F>(s02, a32, b32, c30, d30);
      s12 = addDot<F>(s12, a32, b32, c31, d31);
      const p33 = v128.load(x3, 48), a33 = first<F>(p33), b33 = second<F>(p33);
      s03 = addDot<F>(s03, a33, b33, c30, d30);
      s13 = addDot<F>(s13, a33, b33, c31, d31);
      w0 += BLOCK_BYTES; w1 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    wide00 = isNarrow<F>() ? flush(wide00, s00) : s00; wide01 = isNarrow<F>() ? flush(wide01, s01) : s01; wide02 = isNarrow<F>() ? flush(wide02, s02) : s02; wide03 = isNarrow<F>() ? flush(wide03, s03) : s03;
    wide10 = isNarrow<F>() ? flush(wide10, s10) : s10; wide11 = isNarrow<F>() ? flush(wide11, s11) : s11; wide12 = isNarrow<F>() ? flush(wide12, s12) : s12; wide13 = isNarrow<F>() ? flush(wide13, s13) : s13;
  }
  finish(y, wide00, record, scale, accumulate);
  finish(y + streamRows * 4, wide10, record, scale, accumulate);
  finish(y + yStride, wide01, record + RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + yStride, wide11, record + RECORD_BYTES, scale, accumulate);
  finish(y + 2 * yStride, wide02, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + 2 * yStride, wide12, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + 3 * yStride, wide03, record + 3 * RECORD_BYTES, scale, accumulate);
  finish(y + streamRows * 4 + 3 * yStride, wide13, record + 3 * RECORD_BYTES, scale, accumulate);
}

/** One row × four tokens. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function row1x4<F>(w0: usize, blocks: usize, x0: usize, xStride: usize, record: usize, y: usize, yStride: usize, scale: f32, accumulate: bool): void {
  const mask = codeMask<F>(), zero = i32x4.splat(0);
  let x1 = x0 + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  let wide00 = zero, wide01 = zero, wide02 = zero, wide03 = zero;
  for (let block: usize = 0; block < blocks; ) {
    let s00 = isNarrow<F>() ? zero : wide00, s01 = isNarrow<F>() ? zero : wide01, s02 = isNarrow<F>() ? zero : wide02, s03 = isNarrow<F>() ? zero : wide03;
    const stop = isNarrow<F>() ? min(blocks, block + FLUSH_BLOCKS) : blocks;
    for (; block < stop; ++block) {
      const v0 = v128.load(w0);
      const c00 = firstCodes<F>(v0, 0, mask), d00 = secondCodes<F>(v0, 0, mask);
      const p00 = v128.load(x0, 0), a00 = first<F>(p00), b00 = second<F>(p00);
      s00 = addDot<F>(s00, a00, b00, c00, d00);
      const p01 = v128.load(x1, 0), a01 = first<F>(p01), b01 = second<F>(p01);
      s01 = addDot<F>(s01, a01, b01, c00, d00);
      const p02 = v128.load(x2, 0), a02 = first<F>(p02), b02 = second<F>(p02);
      s02 = addDot<F>(s02, a02, b02, c00, d00);
      const p03 = v128.load(x3, 0), a03 = first<F>(p03), b03 = second<F>(p03);
      s03 = addDot<F>(s03, a03, b03, c00, d00);
      const c10 = firstCodes<F>(v0, 2, mask), d10 = secondCodes<F>(v0, 2, mask);
      const p10 = v128.load(x0, 16), a10 = first<F>(p10), b10 = second<F>(p10);
      s00 = addDot<F>(s00, a10, b10, c10, d10);
      const p11 = v128.load(x1, 16), a11 = first<F>(p11), b11 = second<F>(p11);
      s01 = addDot<F>(s01, a11, b11, c10, d10);
      const p12 = v128.load(x2, 16), a12 = first<F>(p12), b12 = second<F>(p12);
      s02 = addDot<F>(s02, a12, b12, c10, d10);
      const p13 = v128.load(x3, 16), a13 = first<F>(p13), b13 = second<F>(p13);
      s03 = addDot<F>(s03, a13, b13, c10, d10);
      const c20 = firstCodes<F>(v0, 4, mask), d20 = secondCodes<F>(v0, 4, mask);
      const p20 = v128.load(x0, 32), a20 = first<F>(p20), b20 = second<F>(p20);
      s00 = addDot<F>(s00, a20, b20, c20, d20);
      const p21 = v128.load(x1, 32), a21 = first<F>(p21), b21 = second<F>(p21);
      s01 = addDot<F>(s01, a21, b21, c20, d20);
      const p22 = v128.load(x2, 32), a22 = first<F>(p22), b22 = second<F>(p22);
      s02 = addDot<F>(s02, a22, b22, c20, d20);
      const p23 = v128.load(x3, 32), a23 = first<F>(p23), b23 = second<F>(p23);
      s03 = addDot<F>(s03, a23, b23, c20, d20);
      const c30 = firstCodes<F>(v0, 6, mask), d30 = secondCodes<F>(v0, 6, mask);
      const p30 = v128.load(x0, 48), a30 = first<F>(p30), b30 = second<F>(p30);
      s00 = addDot<F>(s00, a30, b30, c30, d30);
      const p31 = v128.load(x1, 48), a31 = first<F>(p31), b31 = second<F>(p31);
      s01 = addDot<F>(s01, a31, b31, c30, d30);
      const p32 = v128.load(x2, 48), a32 = first<F>(p32), b32 = second<F>(p32);
      s02 = addDot<F>(s02, a32, b32, c30, d30);
      const p33 = v128.load(x3, 48), a33 = first<F>(p33), b33 = second<F>(p33);
      s03 = addDot<F>(s03, a33, b33, c30, d30);
      w0 += BLOCK_BYTES; x0 += BLOCK_COLS; x1 += BLOCK_COLS; x2 += BLOCK_COLS; x3 += BLOCK_COLS;
    }
    wide00 = isNarrow<F>() ? flush(wide00, s00) : s00; wide01 = isNarrow<F>() ? flush(wide01, s01) : s01; wide02 = isNarrow<F>() ? flush(wide02, s02) : s02; wide03 = isNarrow<F>() ? flush(wide03, s03) : s03;
  }
  finish(y, wide00, record, scale, accumulate);
  finish(y + yStride, wide01, record + RECORD_BYTES, scale, accumulate);
  finish(y + 2 * yStride, wide02, record + 2 * RECORD_BYTES, scale, accumulate);
  finish(y + 3 * yStride, wide03, record + 3 * RECORD_BYTES, scale, accumulate);
}

/** All of [rowBegin, rowEnd) × tokens in the given form; see the exports for the contract. */
// @ts-ignore: decorator
@inline
function matmul<F>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = cols >> 2;
  const blocks = cols / BLOCK_COLS;
  let token: usize = 0;
  const rows = rowEnd - rowBegin;
  const first = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);

  // Four tokens at a time while there are four: rows outermost, so that weights are read once per tile of tokens.
  const grouped = tokens & ~3;
  if (grouped > 0) {
    const pairs = rows >> 1;
    for (let row: usize = 0; row < pairs; ++row) {
      for (let t: usize = 0; t < grouped; t += 4) {
        rows2x4<F>(
          first + row * rowBytes,
          pairs * rowBytes,
          blocks,
          activations + t * activationStride,
          activationStride,
          records + t * RECORD_BYTES,
          out + (row << 2) + t * yStride,
          pairs,
          yStride,
          scale,
          accumulate,
        );
      }
    }
    if (rows & 1) {
      for (let t: usize = 0; t < grouped; t += 4) {
        row1x4<F>(
          first + (rows - 1) * rowBytes,
          blocks,
          activations + t * activationStride,
          activationStride,
          records + t * RECORD_BYTES,
          out + ((rows - 1) << 2) + t * yStride,
          yStride,
          scale,
          accumulate,
        );
      }
    }
    token = grouped;
  }
  const quarter = rows >> 2;
  for (; token < tokens; ++token) {
    const x = activations + token * activationStride;
    const record = records + token * RECORD_BYTES;
    const to = out + token * yStride;
    for (let row: usize = 0; row < quarter; ++row) {
      rows4x1<F>(
        first + row * rowBytes,
        quarter * rowBytes,
        blocks,
        x,
        record,
        to + (row << 2),
        quarter,
        scale,
        accumulate,
      );
    }
    for (let row = quarter << 2; row < rows; ++row) {
      row1x1<F>(first + row * rowBytes, blocks, x, record, to + (row << 2), scale, accumulate);
    }
  }
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) / s[t] · d              for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · X [tokens, cols] every activationStride bytes · y [tokens, rows] every yStride bytes
 * Types     W ternary-rows · X i8 · records {s: f32, Σₖ X[t, k]: i32} per token · y f32 · d = scale
 * Requires  cols % 64 == 0 · W, X 16-byte aligned · y overlaps nothing else
 * Range     codes 0…2 · cols ≤ 2²³, so |Σ| fits i32
 * Exact     Σ is bit-identical in every form, build and split, and to test/reference; the f32 steps are three roundings
 * Splits    by rows or tokens: any partition gives the same bytes
 */
export function matmul_ternary_i8_plain(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  matmul<i8>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scale,
    accumulate,
  );
}

/** The same by the relaxed 32-bit dot product: fastest where an engine maps it to one instruction. Traps in the simd128 build. */
export function matmul_ternary_i8_wide(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i32>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scale,
    accumulate,
  );
}

/** The same by the relaxed 16-bit dot product. Traps in the simd128 build. */
export function matmul_ternary_i8_narrow(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  activations: usize,
  activationStride: usize,
  records: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  matmul<i16>(
    weights,
    cols,
    rowBegin,
    rowEnd,
    activations,
    activationStride,
    records,
    tokens,
    y,
    yStride,
    scale,
    accumulate,
  );
}
