import { Address } from "../address";

/**
 * x[t, k] += y[t, k]                                          for k in [colBegin, colEnd)
 *
 * Shapes    x [tokens, cols] every stride bytes · y as x, every addendStride bytes: 0 adds one row to all
 * Types     f32
 * Requires  colBegin % 4 == 0, colEnd % 4 == 0 · y overlaps no x
 * Range     any values
 * Exact     bit-identical in every build: one rounding
 * Splits    by tokens and columns
 */
export function add_rows(
  x: Address,
  y: Address,
  tokens: usize,
  stride: usize,
  addendStride: usize,
  colBegin: usize,
  colEnd: usize,
): void {
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k = colBegin << 2; k < colEnd << 2; k += 16) {
      v128.store(x + k, f32x4.add(v128.load(x + k), v128.load(y + k)));
    }
    x += stride;
    y += addendStride;
  }
}

/**
 * x[t, k] = x[t, k] · factor                                  for k in [0, cols)
 *
 * Shapes    x [tokens, cols] every stride bytes
 * Types     f32
 * Requires  cols % 4 == 0
 * Range     any values
 * Exact     bit-identical in every build: one rounding
 * Splits    by tokens
 */
export function scale_rows(x: Address, tokens: usize, stride: usize, cols: usize, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k: usize = 0; k < cols << 2; k += 16) {
      v128.store(x + k, f32x4.mul(v128.load(x + k), factors));
    }
    x += stride;
  }
}
