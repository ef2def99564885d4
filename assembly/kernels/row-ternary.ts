// Single rows of ternary matrices as f32: embeddings.

import { Address } from "../address";
import { BLOCK_BYTES } from "../simd/dot";

/** y[k] = (code − 1) · scale for 32 weights: their codes are bits shift, shift + 1 of 32 bytes. */
// @ts-ignore: decorator
@inline
function unpack(codes: usize, shift: u32, scale: f32, y: usize): void {
  const scale4 = f32x4.splat(scale);
  const mask = i32x4.splat(3);
  const one = i32x4.splat(1);
  for (let j: usize = 0; j < 32; j += 4) {
    const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(codes + j));
    const code = v128.and(i32x4.shr_u(i32x4.extend_low_i16x8_u(bytes), shift), mask);
    v128.store(y + (j << 2), f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(code, one)), scale4));
  }
}

/**
 * y[k] = W[row, k] · scale                                     for k in [0, cols)
 *
 * Shapes    W [rows, cols], rows of whole blocks · y [cols]
 * Types     W ternary-rows · y f32
 * Requires  cols % 32 == 0 · y overlaps nothing
 * Range     codes 0…3; code 3 counts as 2
 * Exact     exact: weights are −1, 0, 1 or 2
 * Splits    no
 */
export function row_ternary(weights: Address, cols: usize, row: usize, scale: f32, y: Address): void {
  let codes = weights + row * ((cols + 127) >> 7) * BLOCK_BYTES;
  for (let k: usize = 0; k < cols; k += 32) {
    unpack(codes, 6 - <u32>((k >> 4) & 6), scale, y + (k << 2));
    if ((k & 96) == 96) codes += BLOCK_BYTES;
  }
}

/**
 * y[k] = W[row, k] · (c[row, g] · scale)                       for k in [0, cols), in group g
 *
 * Shapes    W [rows, cols], rows of whole blocks · c [rows, groups] · y [cols]
 * Types     W ternary-groups · c, y f32 · groupSize 64 or 128
 * Requires  cols % 32 == 0 · y overlaps nothing
 * Range     codes 0…3; code 3 counts as 2
 * Exact     c · scale is one rounding, or exact where scale is 1; the product with W is exact
 * Splits    no
 */
export function row_ternary_groups(
  weights: Address,
  scales: Address,
  groupSize: usize,
  cols: usize,
  row: usize,
  scale: f32,
  y: Address,
): void {
  const blocks = (cols + 127) >> 7;
  const groups = blocks * (128 / groupSize);
  let codes = weights + row * blocks * BLOCK_BYTES;
  const c = scales + row * (((groups + 3) & ~3) << 2);
  for (let k: usize = 0; k < cols; k += 32) {
    const groupScale = load<f32>(c + ((k / groupSize) << 2)) * scale;
    unpack(codes, 6 - <u32>((k >> 4) & 6), groupScale, y + (k << 2));
    if ((k & 96) == 96) codes += BLOCK_BYTES;
  }
}
