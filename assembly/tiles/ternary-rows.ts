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

import { sumLanesI32 } from "../simd/lanes";

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
