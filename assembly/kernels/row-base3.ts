// Single rows of base-3 matrices as f32: embeddings.

import { Address } from "../address";
import { BASE3_BLOCK_BYTES, BASE3_BLOCK_COLS } from "../simd/base3";
import { IEEE_HALF_UNIT } from "../simd/half";

/** The weight of column k in a row of base-3 blocks. */
// @ts-ignore: decorator
@inline
function weightAt(row: usize, k: usize): f32 {
  const inBlock = k % BASE3_BLOCK_COLS;
  const byte = row + (k / BASE3_BLOCK_COLS) * BASE3_BLOCK_BYTES + (inBlock & 31);
  let fraction: u32 = load<u8>(byte) ^ 128;
  for (let plane = inBlock >> 5; plane > 0; --plane) fraction = (fraction * 3) & 255;
  return <f32>(<i32>((fraction * 3) >> 8) - 1);
}

/** Bytes of a row of whole blocks. */
// @ts-ignore: decorator
@inline
function rowBytes(cols: usize): usize {
  return ((cols + BASE3_BLOCK_COLS - 1) / BASE3_BLOCK_COLS) * BASE3_BLOCK_BYTES;
}

/**
 * y[k] = W[row, k] · scale                                     for k in [0, cols)
 *
 * Shapes    W [rows, cols], rows of whole blocks · y [cols]
 * Types     W base3-rows · y f32
 * Requires  y overlaps nothing
 * Range     any digits
 * Exact     exact: weights are −1, 0 or 1
 * Splits    no
 */
export function row_base3(weights: Address, cols: usize, row: usize, scale: f32, y: Address): void {
  const from = weights + row * rowBytes(cols);
  for (let k: usize = 0; k < cols; ++k) store<f32>(y + (k << 2), weightAt(from, k) * scale);
}

/**
 * y[k] = W[row, k] · (c[row, ⌊k / 256⌋] · scale)               for k in [0, cols)
 *
 * Shapes    W [rows, cols], rows of whole blocks · c [rows, cols / 256] · y [cols]
 * Types     W base3-groups · c halves · y f32
 * Requires  cols % 256 == 0 · y overlaps nothing
 * Range     any digits · c finite
 * Exact     c · scale is one rounding, or exact where scale is 1; the product with W is exact
 * Splits    no
 */
export function row_base3_groups(
  weights: Address,
  scales: Address,
  cols: usize,
  row: usize,
  scale: f32,
  y: Address,
): void {
  const from = weights + row * rowBytes(cols);
  const c = scales + row * (cols >> 7);
  for (let k: usize = 0; k < cols; ++k) {
    const bits = <u32>load<u16>(c + ((k >> 8) << 1));
    const half = reinterpret<f32>(((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13)) * IEEE_HALF_UNIT;
    store<f32>(y + (k << 2), weightAt(from, k) * (half * scale));
  }
}
