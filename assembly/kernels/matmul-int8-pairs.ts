// Int8 rows × 14-bit activations for registers of 256 bits: 32 columns a step, in two halves. One token takes
// four rows at a time, several tokens take one row. The layout and the shared parts are in tiles/int8-rows.

import { Address } from "../address";
import { addProducts, finish, multiplyRows } from "../tiles/int8-rows";

/** Bytes of rows that meet four tokens, then the next four: they stay in the second-level cache. */
// @ts-ignore: decorator
@inline
const CHUNK_BYTES: usize = 131072;

/**
 * The sums of a row with four or two tokens, over the first `whole` columns, in scratch: [4][high a,
 * high b, low a, low b]. In pairs, as matmulPairs.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function sumTokens<F>(w: usize, x: usize, cols: usize, whole: usize, tokens: i32, scratch: usize): void {
  const zero = i32x4.splat(0);
  let x1 = x + (cols << 1), x2 = x1 + (cols << 1), x3 = x2 + (cols << 1);
  let h0a = zero, h0b = zero, l0a = zero, l0b = zero, h1a = zero, h1b = zero, l1a = zero, l1b = zero;
  let h2a = zero, h2b = zero, l2a = zero, l2b = zero, h3a = zero, h3b = zero, l3a = zero, l3b = zero;
  for (const end = w + whole; w < end; w += 32, x += 32) {
    const va = v128.load(w), vb = v128.load(w, 16);
    h0a = addProducts<F>(h0a, va, v128.load(x)); h0b = addProducts<F>(h0b, vb, v128.load(x, 16));
    l0a = addProducts<F>(l0a, va, v128.load(x + cols)); l0b = addProducts<F>(l0b, vb, v128.load(x + cols, 16));
    h1a = addProducts<F>(h1a, va, v128.load(x1)); h1b = addProducts<F>(h1b, vb, v128.load(x1, 16));
    l1a = addProducts<F>(l1a, va, v128.load(x1 + cols)); l1b = addProducts<F>(l1b, vb, v128.load(x1 + cols, 16));
    x1 += 32;
    if (tokens == 4) {
      h2a = addProducts<F>(h2a, va, v128.load(x2)); h2b = addProducts<F>(h2b, vb, v128.load(x2, 16));
      l2a = addProducts<F>(l2a, va, v128.load(x2 + cols)); l2b = addProducts<F>(l2b, vb, v128.load(x2 + cols, 16));
      h3a = addProducts<F>(h3a, va, v128.load(x3)); h3b = addProducts<F>(h3b, vb, v128.load(x3, 16));
      l3a = addProducts<F>(l3a, va, v128.load(x3 + cols)); l3b = addProducts<F>(l3b, vb, v128.load(x3 + cols, 16));
      x2 += 32; x3 += 32;
    }
  }
  v128.store(scratch, h0a); v128.store(scratch, h0b, 16); v128.store(scratch, l0a, 32); v128.store(scratch, l0b, 48);
  v128.store(scratch, h1a, 64); v128.store(scratch, h1b, 80); v128.store(scratch, l1a, 96); v128.store(scratch, l1b, 112);
  if (tokens == 4) {
    v128.store(scratch, h2a, 128); v128.store(scratch, h2b, 144);
    v128.store(scratch, l2a, 160); v128.store(scratch, l2b, 176);
    v128.store(scratch, h3a, 192); v128.store(scratch, h3b, 208);
    v128.store(scratch, l3a, 224); v128.store(scratch, l3b, 240);
  }
}

/** Rows begin … end − 1 for four or two tokens in pairs. */
// @ts-ignore: decorator
@inline
function multiplyTokens<F>(
  weights: usize,
  records: usize,
  cols: usize,
  begin: usize,
  end: usize,
  x: usize,
  scales: usize,
  tokens: i32,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const whole = cols & ~31;
  for (let row = begin; row < end; ++row) {
    const w = weights + row * cols;
    sumTokens<F>(w, x, cols, whole, tokens, scratch);
    for (let t: usize = 0; t < <usize>tokens; ++t) {
      const sums = scratch + (t << 6);
      let high = i32x4.add(v128.load(sums), v128.load(sums, 16));
      let low = i32x4.add(v128.load(sums, 32), v128.load(sums, 48));
      if (whole < cols) {
        const v = v128.load(w + whole);
        const last = x + t * (cols << 1) + whole;
        high = addProducts<F>(high, v, v128.load(last));
        low = addProducts<F>(low, v, v128.load(last + cols));
      }
      const s = <f64>load<f32>(scales + (t << 2));
      finish(y + t * yStride + (row << 2), high, low, records + (row << 3), s, scale, accumulate);
    }
  }
}

/** Rows begin … end − 1 for one token in pairs: four rows at a time. */
// @ts-ignore: decorator
@inline
function multiplyToken<F>(
  weights: usize,
  records: usize,
  cols: usize,
  begin: usize,
  end: usize,
  x: usize,
  scales: usize,
  y: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const quarter = (end - begin) >> 2;
  const s = <f64>load<f32>(scales);
  const whole = cols & ~31;
  for (let row: usize = 0; row < quarter; ++row) {
    const r0 = begin + row;
    let u = x;
    let w0 = weights + r0 * cols;
    let w1 = w0 + quarter * cols;
    let w2 = w1 + quarter * cols;
    let w3 = w2 + quarter * cols;
    let h0a = i32x4.splat(0);
    let h0b = h0a,
      h1a = h0a,
      h1b = h0a,
      h2a = h0a,
      h2b = h0a,
      h3a = h0a,
      h3b = h0a;
    let l0a = h0a,
      l0b = h0a,
      l1a = h0a,
      l1b = h0a,
      l2a = h0a,
      l2b = h0a,
      l3a = h0a,
      l3b = h0a;
    for (const stop = u + whole; u < stop; u += 32) {
      const highA = v128.load(u),
        highB = v128.load(u, 16);
      const lowA = v128.load(u + cols),
        lowB = v128.load(u + cols, 16);
      const v0a = v128.load(w0),
        v0b = v128.load(w0, 16);
      h0a = addProducts<F>(h0a, v0a, highA);
      h0b = addProducts<F>(h0b, v0b, highB);
      l0a = addProducts<F>(l0a, v0a, lowA);
      l0b = addProducts<F>(l0b, v0b, lowB);
      const v1a = v128.load(w1),
        v1b = v128.load(w1, 16);
      h1a = addProducts<F>(h1a, v1a, highA);
      h1b = addProducts<F>(h1b, v1b, highB);
      l1a = addProducts<F>(l1a, v1a, lowA);
      l1b = addProducts<F>(l1b, v1b, lowB);
      const v2a = v128.load(w2),
        v2b = v128.load(w2, 16);
      h2a = addProducts<F>(h2a, v2a, highA);
      h2b = addProducts<F>(h2b, v2b, highB);
      l2a = addProducts<F>(l2a, v2a, lowA);
      l2b = addProducts<F>(l2b, v2b, lowB);
      const v3a = v128.load(w3),
        v3b = v128.load(w3, 16);
      h3a = addProducts<F>(h3a, v3a, highA);
      h3b = addProducts<F>(h3b, v3b, highB);
      l3a = addProducts<F>(l3a, v3a, lowA);
      l3b = addProducts<F>(l3b, v3b, lowB);
      w0 += 32;
      w1 += 32;
      w2 += 32;
      w3 += 32;
    }
    v128.store(scratch, h0a);
    v128.store(scratch, h0b, 16);
    v128.store(scratch, l0a, 32);
    v128.store(scratch, l0b, 48);
    v128.store(scratch, h1a, 64);
    v128.store(scratch, h1b, 80);
    v128.store(scratch, l1a, 96);
    v128.store(scratch, l1b, 112);
    v128.store(scratch, h2a, 128);
    v128.store(scratch, h2b, 144);
    v128.store(scratch, l2a, 160);
    v128.store(scratch, l2b, 176);
    v128.store(scratch, h3a, 192);
    v128.store(scratch, h3b, 208);
    v128.store(scratch, l3a, 224);
    v128.store(scratch, l3b, 240);
    const to = y + (r0 << 2);
    const record = records + (r0 << 3);
    for (let i: usize = 0; i < 4; ++i) {
      let high = i32x4.add(v128.load(scratch + (i << 6)), v128.load(scratch + (i << 6), 16));
      let low = i32x4.add(v128.load(scratch + (i << 6), 32), v128.load(scratch + (i << 6), 48));
      if (whole < cols) {
        const v = v128.load(weights + (r0 + i * quarter) * cols + whole);
        high = addProducts<F>(high, v, v128.load(u));
        low = addProducts<F>(low, v, v128.load(u + cols));
      }
      finish(to + i * (quarter << 2), high, low, record + i * (quarter << 3), s, scale, accumulate);
    }
  }
  multiplyRows<F>(weights, records, cols, begin + (quarter << 2), end, x, scales, 1, y, 0, scale, accumulate);
}

/**
 * The same with 32 columns a step, in two halves with sums of their own, next to each other at the end, for
 * the revectorizer. Without it the sums do not fit the registers, and this takes 1.5 times as long as
 * `matmul`.
 *
 * A chunk of rows meets four tokens, then the next four. Each row meets four tokens at once, so memory is
 * read while products are computed. Four rows × one token took 1.6 times as long.
 */
// @ts-ignore: decorator
@inline
function matmulPairs<F>(
  weights: usize,
  records: usize,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: usize,
  scales: usize,
  tokens: usize,
  y: usize,
  yStride: usize,
  scratch: usize,
  scale: f32,
  accumulate: bool,
): void {
  const chunkRows = tokens == 1 ? rowEnd - rowBegin : max<usize>(4, CHUNK_BYTES / max<usize>(1, cols));
  // prettier-ignore
  for (let begin = rowBegin; begin < rowEnd; begin += chunkRows) {
    const end = min(rowEnd, begin + chunkRows);
    let t: usize = 0;
    for (; t + 4 <= tokens; t += 4) {
      multiplyTokens<F>(
        weights, records, cols, begin, end, x + t * (cols << 1), scales + (t << 2), 4, y + t * yStride, yStride, scratch,
        scale, accumulate,
      );
    }
    if (t + 2 <= tokens) {
      multiplyTokens<F>(
        weights, records, cols, begin, end, x + t * (cols << 1), scales + (t << 2), 2, y + t * yStride, yStride, scratch,
        scale, accumulate,
      );
      t += 2;
    }
    if (t < tokens) {
      multiplyToken<F>(
        weights, records, cols, begin, end, x + t * (cols << 1), scales + (t << 2), y + t * yStride, scratch, scale, accumulate,
      );
    }
  }
}

/**
 * y[t, r] (+)= (Σₖ W[r, k] · X[t, k]) · scale                  for r in [rowBegin, rowEnd), t in [0, tokens)
 *
 * The bytes of matmul_i8_i14_dot_i8, in steps of 32 columns for kernels of 256 bits.
 *
 * Shapes    W [rows, cols] · records [rows] · X [tokens] of quantize_activations_i14 · s [tokens] at scales ·
 *           y [tokens, rows] every yStride bytes
 * Types     W int8-rows · X two planes of u8 · s f32 · y f32
 * Requires  cols % 16 == 0 · 16-byte aligned · scratch 256 bytes of the caller's own · y overlaps nothing
 * Range     cols ≤ 2¹⁷, so that a plane's sum fits i32
 * Exact     integer sums bit-identical in every form, build and split; then two f64 roundings and two of f32
 * Splits    by rows or tokens
 */
export function matmul_i8_i14_pairs_dot_i8(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  // prettier-ignore
  matmulPairs<i8>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scratch, scale, accumulate);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as matmul_i8_i14_pairs_dot_i8, but in form i16 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_i8_i14_pairs_dot_i16(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmulPairs<i16>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scratch, scale, accumulate);
}

/**
 * Contract as matmul_i8_i14_pairs_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the
 * simd128 build.
 */
export function matmul_i8_i14_pairs_dot_i32(
  weights: Address,
  records: Address,
  cols: usize,
  rowBegin: usize,
  rowEnd: usize,
  x: Address,
  scales: Address,
  tokens: usize,
  y: Address,
  yStride: usize,
  scratch: Address,
  scale: f32,
  accumulate: bool,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  matmulPairs<i32>(weights, records, cols, rowBegin, rowEnd, x, scales, tokens, y, yStride, scratch, scale, accumulate);
}
