// Single rows of affine panels as f32: embeddings. kernels/matmul-affine has the layout.

import { Address } from "../address";

/**
 * y[k] = c[row, g] · code[row, k] − m[row, g]                  for k in [0, cols), in group g
 *
 * Shapes    W [rows, cols] · c, m [rows, cols / group], in W · y [cols]
 * Types     W affine panels of this many bits, 4, 6 or 8, with minima or without · c, m, y f32
 * Requires  cols % 32 == 0 · group 16 or 32, 32 with 4 bits · W 16-byte aligned · y overlaps nothing
 * Range     all
 * Exact     two roundings of f32, as the formats' decoders have them
 * Splits    no
 */
export function row_affine(
  weights: Address,
  bits: i32,
  group: usize,
  minima: bool,
  cols: usize,
  row: usize,
  y: Address,
): void {
  const codeBytes = bits == 4 ? group << 2 : group << 3;
  const groupBytes = codeBytes + (minima ? 64 : 32);
  let w = weights + (row >> 3) * (cols / group) * groupBytes + ((row & 7) << 2);
  const offset = i32x4.splat(minima ? 0 : 1 << (bits - 1));
  const mask = i32x4.splat(bits == 4 ? 15 : 255);
  for (let k: usize = 0; k < cols; k += group) {
    const c = v128.load32_splat(w + codeBytes);
    const m = minima ? v128.load32_splat(w + codeBytes, 32) : f32x4.splat(0);
    for (let i: usize = 0; i < group; i += 4) {
      // Of four bits, every second step is in the high halves of bytes.
      const bytes = v128.load32_zero(w + (bits == 4 ? (i >> 3) << 5 : i << 3));
      const words = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
      const codes = v128.and(i32x4.shr_u(words, bits == 4 ? (<i32>i) & 4 : 0), mask);
      const numbers = f32x4.convert_i32x4_s(i32x4.sub(codes, offset));
      v128.store(y + ((k + i) << 2), f32x4.sub(f32x4.mul(numbers, c), m));
    }
    w += groupBytes;
  }
}
