// Float rows × float activations: output heads, and linear layers that are not ternary.
//
// Layouts differ only in how eight weights become two vectors of four. A type stands for the layout: f32 for
// f32-rows, u16 for bf16-rows, i16 for f16-rows (rebiased halves, simd/half). Eight activations are split in
// the same way:
//
//   a += first four of W · first four of x      (16-bit layouts: the even elements)
//   b += last four of W · last four of x        (16-bit layouts: the odd elements)

import { Address } from "../address";
import { HALF_UNIT, halfEvens, halfMask, halfOdds } from "../simd/half";
import { sumLanesF32 } from "../simd/lanes";

// @ts-ignore: decorator
@inline
function elementShift<W>(): i32 {
  return sizeof<W>() == 4 ? 2 : 1;
}

/** The even (16-bit layouts) or first four (f32) of eight weights. */
// @ts-ignore: decorator
@inline
function firstFour<W>(row: usize, mask: v128): v128 {
  if (isFloat<W>()) return v128.load(row);
  if (isSigned<W>()) return halfEvens(v128.load(row), mask);
  return i32x4.shl(v128.load(row), 16);
}

/** The odd (16-bit layouts) or last four (f32) of eight weights. */
// @ts-ignore: decorator
@inline
function lastFour<W>(row: usize, mask: v128): v128 {
  if (isFloat<W>()) return v128.load(row, 16);
  if (isSigned<W>()) return halfOdds(v128.load(row), mask);
  return v128.and(v128.load(row), mask);
}

// @ts-ignore: decorator
@inline
function layoutMask<W>(): v128 {
  return isSigned<W>() ? halfMask() : i32x4.splat(<i32>0xffff0000);
}

// @ts-ignore: decorator
@inline
function store1(y: usize, a: v128, b: v128, scale: f32, accumulate: bool): void {
  const value = sumLanesF32(f32x4.add(a, b)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** Four rows × one token. Rows are streams, a part of the range apart (docs/KERNELS.md). */
// @ts-ignore: decorator
@inline
function rows4x1<W>(
  w0: usize,
  streamBytes: usize,
  x: usize,
  cols: usize,
  y: usize,
  streamRows: usize,
  scale: f32,
  accumulate: bool,
): void {
  const mask = layoutMask<W>();
  const unit = f32x4.splat(HALF_UNIT);
  let w1 = w0 + streamBytes;
  let w2 = w1 + streamBytes;
  let w3 = w2 + streamBytes;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let a3 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let b3 = a0;
  const step: usize = 8 << elementShift<W>();
  const end = x + (cols << 2);
  for (; x < end; x += 32) {
    const low = v128.load(x);
    const high = v128.load(x, 16);
    let xa = isFloat<W>() ? low : i32x4.shuffle(low, high, 0, 2, 4, 6);
    let xb = isFloat<W>() ? high : i32x4.shuffle(low, high, 1, 3, 5, 7);
    if (isSigned<W>() && !isFloat<W>()) {
      xa = f32x4.mul(xa, unit);
      xb = f32x4.mul(xb, unit);
    }
    a0 = f32x4.add(a0, f32x4.mul(firstFour<W>(w0, mask), xa));
    b0 = f32x4.add(b0, f32x4.mul(lastFour<W>(w0, mask), xb));
    a1 = f32x4.add(a1, f32x4.mul(firstFour<W>(w1, mask), xa));
    b1 = f32x4.add(b1, f32x4.mul(lastFour<W>(w1, mask), xb));
    a2 = f32x4.add(a2, f32x4.mul(firstFour<W>(w2, mask), xa));
    b2 = f32x4.add(b2, f32x4.mul(lastFour<W>(w2, mask), xb));
    a3 = f32x4.add(a3, f32x4.mul(firstFour<W>(w3, mask), xa));
    b3 = f32x4.add(b3, f32x4.mul(lastFour<W>(w3, mask), xb));
    w0 += step;
    w1 += step;
    w2 += step;
    w3 += step;
  }
  const yStep = streamRows << 2;
  store1(y, a0, b0, scale, accumulate);
  store1(y + yStep, a1, b1, scale, accumulate);
  store1(y + (yStep << 1), a2, b2, scale, accumulate);
  store1(y + yStep * 3, a3, b3, scale, accumulate);
}

/** One row × one token: the same operations in the same order as each row of rows4x1. */
// @ts-ignore: decorator
@inline
function row1x1<W>(w: usize, x: usize, cols: usize, y: usize, scale: f32, accumulate: bool): void {
  const mask = layoutMask<W>();
  const unit = f32x4.splat(HALF_UNIT);
  let a = f32x4.splat(0);
  let b = a;
  const step: usize = 8 << elementShift<W>();
  const end = x + (cols << 2);
  for (; x < end; x += 32) {
    const low = v128.load(x);
    const high = v128.load(x, 16);
    let xa = isFloat<W>() ? low : i32x4.shuffle(low, high, 0, 2, 4, 6);
    let xb = isFloat<W>() ? high : i32x4.shuffle(low, high, 1, 3, 5, 7);
    if (isSigned<W>() && !isFloat<W>()) {
      xa = f32x4.mul(xa, unit);
      xb = f32x4.mul(xb, unit);
    }
    a = f32x4.add(a, f32x4.mul(firstFour<W>(w, mask), xa));
    b = f32x4.add(b, f32x4.mul(lastFour<W>(w, mask), xb));
    w += step;
  }
  store1(y, a, b, scale, accumulate);
}

/** All of [rowBegin, rowEnd) × tokens; the contract is that of the exports. */
// @ts-ignore: decorator
@inline
export function matmul<W>(
  weights: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: usize,
  inputStride: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  const rowBytes = cols << elementShift<W>();
  const rows = rowEnd - rowBegin;
  const quarter = rows >> 2;
  const first = weights + rowBegin * rowBytes;
  const out = y + (rowBegin << 2);
  // Rows outermost: four rows stay in the first-level cache for all tokens.
  for (let row: usize = 0; row < quarter; ++row) {
    for (let t: usize = 0; t < tokens; ++t) {
      rows4x1<W>(
        first + row * rowBytes,
        quarter * rowBytes,
        x + t * inputStride,
        cols,
        out + (row << 2) + t * yStride,
        quarter,
        scale,
        accumulate,
      );
    }
  }
  for (let row = quarter << 2; row < rows; ++row) {
    for (let t: usize = 0; t < tokens; ++t) {
      row1x1<W>(
        first + row * rowBytes,
        x + t * inputStride,
        cols,
        out + (row << 2) + t * yStride,
        scale,
        accumulate,
      );
    }
  }
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · x[t, k]) · scale                  for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * Shapes    W [rows, cols] · x [tokens, cols] every inputStride bytes · y [tokens, rows] every yStride bytes
 * Types     f32
 * Requires  cols % 8 == 0 · y overlaps nothing
 * Range     finite operands
 * Exact     bit-identical in every build and split: eight interleaved f32 sums, added in one order
 * Splits    by rows or tokens
 */
export function matmul_f32_f32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  inputStride: usize,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  matmul<f32>(weights, cols, rowBegin, rowEnd, x, inputStride, tokens, y, yStride, scale, accumulate);
}

/**
 * y[k] = W[row, k]                                             for k in [0, cols): one embedding row
 *
 * Shapes    W [rows, cols] · y [cols]
 * Types     f32
 * Requires  cols % 8 == 0 · y overlaps nothing
 * Range     any values
 * Exact     bit-exact
 * Splits    no
 */
export function row_f32(weights: Address, cols: usize, row: usize, y: Address): void {
  memory.copy(y, weights + row * (cols << 2), cols << 2);
}

/** Contract as row_f32, but W is bf16-rows. */
export function row_bf16(weights: Address, cols: usize, row: usize, y: Address): void {
  const from = weights + row * (cols << 1);
  for (let k: usize = 0; k < cols; k += 4) {
    v128.store(y + (k << 2), i32x4.shl(i32x4.extend_low_i16x8_u(v128.load_zero<u64>(from + (k << 1))), 16));
  }
}

/** Contract as row_f32, but W is f16-rows, as pack_f16 leaves them. */
export function row_f16(weights: Address, cols: usize, row: usize, y: Address): void {
  const from = weights + row * (cols << 1);
  const mask = halfMask();
  const unit = f32x4.splat(HALF_UNIT);
  for (let k: usize = 0; k < cols; k += 8) {
    const v = v128.load(from + (k << 1));
    const evens = f32x4.mul(halfEvens(v, mask), unit);
    const odds = f32x4.mul(halfOdds(v, mask), unit);
    v128.store(y + (k << 2), i32x4.shuffle(evens, odds, 0, 4, 1, 5));
    v128.store(y + (k << 2), i32x4.shuffle(evens, odds, 2, 6, 3, 7), 16);
  }
}

// From here on made by scripts/tiles.mjs.

/** Contract as matmul_f32_f32, but W is bf16-rows. */
export function matmul_bf16_f32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  inputStride: usize,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  matmul<u16>(weights, cols, rowBegin, rowEnd, x, inputStride, tokens, y, yStride, scale, accumulate);
}

/**
 * Contract as matmul_f32_f32, but W is f16-rows, as pack_f16 leaves them, and |x| < 2²⁵, so that x · 2¹⁰²
 * is finite.
 */
export function matmul_f16_f32(
  weights: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  inputStride: usize,
  tokens: usize,
  y: Address,
  yStride: usize,
  scale: f32,
  accumulate: bool,
): void {
  matmul<i16>(weights, cols, rowBegin, rowEnd, x, inputStride, tokens, y, yStride, scale, accumulate);
}
