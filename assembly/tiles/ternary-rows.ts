// Shared parts of the tiles of ternary rows (generated/ternary-tiles). docs/KERNELS.md has the layout
// "ternary-rows", and why rows of a tile lie far apart.
//
// Codes are not signed: Σ w·x = Σ code·x − Σ x, and Σ x is known once per token. A tile of R rows × T tokens
// is
//
//   for each block of 128 columns:      32 bytes of codes per row, in two halves a and b of 16 bytes
//     for each of the four fields of a byte, and each half:
//       sums[r, t, half] += dot(codes of row r, activations of token t)
//   y[t, r] = (sums[r, t, a] + sums[r, t, b] − Σ x[t]) / s[t] · d
//
// The halves have sums of their own, stored next to each other at the end. V8's revectorizer, where it is on,
// makes one 256-bit operation of every two. Without it the form costs nothing: 32 bytes per step keep the
// loop's overhead small.

import { sumLanesI32, sumsOfFour } from "../simd/lanes";

/** Bytes that quantize_activations_i8 writes per token: f32 scale s, i32 sum Σ x. */
// @ts-ignore: decorator
@inline
export const RECORD_BYTES: usize = 8;

/**
 * y = (Σ codes·x − Σ x) / s · d in f32 in this order, as in the native engine; added to y if asked. The sum
 * is in two vectors at `sums`.
 */
// @ts-ignore: decorator
@inline
export function finish(y: usize, sums: usize, record: usize, scale: f32, accumulate: bool): void {
  const sum = sumLanesI32(i32x4.add(v128.load(sums), v128.load(sums, 16)));
  const value = (<f32>(sum - load<i32>(record, 4)) / load<f32>(record)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}

/** The sum of two vectors next to each other. */
// @ts-ignore: decorator
@inline
function both(sums: usize, at: usize): v128 {
  return i32x4.add(v128.load(sums + at), v128.load(sums + at + 16));
}

/**
 * `finish` for four tokens of a row: y every yStride bytes, sums every 32, records one after another. It does
 * the same operations in four lanes.
 */
// @ts-ignore: decorator
@inline
export function finishFour(
  y: usize,
  yStride: usize,
  sums: usize,
  record: usize,
  scale: f32,
  accumulate: bool,
): void {
  const dots = sumsOfFour(both(sums, 0), both(sums, 32), both(sums, 64), both(sums, 96));
  finishDots(y, yStride, dots, record, 4, scale, accumulate);
}

/** The sums of a tile's row and `tokens` tokens, 3 or 4, in one vector; added to it if there is `more`. */
// @ts-ignore: decorator
@inline
export function addTotals(totals: usize, sums: usize, tokens: i32, more: bool): void {
  const last = tokens == 4 ? both(sums, 96) : i32x4.splat(0);
  const dots = sumsOfFour(both(sums, 0), both(sums, 32), both(sums, 64), last);
  v128.store(totals, more ? i32x4.add(v128.load(totals), dots) : dots);
}

/** `finish` for the 3 or 4 tokens of a vector of sums. */
// @ts-ignore: decorator
@inline
export function finishDots(
  y: usize,
  yStride: usize,
  dots: v128,
  record: usize,
  tokens: i32,
  scale: f32,
  accumulate: bool,
): void {
  const a = v128.load(record),
    b = tokens == 4 ? v128.load(record, 16) : v128.load64_zero(record, 16);
  const scales = i32x4.shuffle(a, b, 0, 2, 4, 6),
    totals = i32x4.shuffle(a, b, 1, 3, 5, 7);
  const values = f32x4.mul(
    f32x4.div(f32x4.convert_i32x4_s(i32x4.sub(dots, totals)), scales),
    f32x4.splat(scale),
  );
  if (accumulate) {
    store<f32>(y, load<f32>(y) + f32x4.extract_lane(values, 0));
    store<f32>(y + yStride, load<f32>(y + yStride) + f32x4.extract_lane(values, 1));
    store<f32>(y + 2 * yStride, load<f32>(y + 2 * yStride) + f32x4.extract_lane(values, 2));
    if (tokens == 4) store<f32>(y + 3 * yStride, load<f32>(y + 3 * yStride) + f32x4.extract_lane(values, 3));
  } else {
    v128.store_lane<f32>(y, values, 0);
    v128.store_lane<f32>(y + yStride, values, 1);
    v128.store_lane<f32>(y + 2 * yStride, values, 2);
    if (tokens == 4) v128.store_lane<f32>(y + 3 * yStride, values, 3);
  }
}
