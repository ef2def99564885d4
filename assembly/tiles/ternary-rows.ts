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
export function finish(y: usize, sums: usize, record: usize, scale: f32, accumulate: bool): void {
  const sum = sumLanesI32(i32x4.add(v128.load(sums), v128.load(sums, 16)));
  const value = (<f32>(sum - load<i32>(record, 4)) / load<f32>(record)) * scale;
  store<f32>(y, accumulate ? load<f32>(y) + value : value);
}
