import { exp4 } from "../simd/exp";

/**
 * gate[t, k] = relu(gate[t, k])² · up[t, k]                    for k in [colBegin, colEnd)
 *
 * Shapes    gate, up [tokens, cols], tokens every stride bytes
 * Types     f32
 * Requires  colBegin % 4 == 0, colEnd % 4 == 0
 * Exact     bit-identical in every build and to the native engine: (r · r) · up
 * Splits    by tokens and columns
 */
export function gate_relu2(
  gate: usize,
  up: usize,
  tokens: usize,
  stride: usize,
  colBegin: usize,
  colEnd: usize,
): void {
  const zero = f32x4.splat(0);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k = colBegin << 2; k < colEnd << 2; k += 16) {
      const r = f32x4.max(v128.load(gate + k), zero);
      v128.store(gate + k, f32x4.mul(f32x4.mul(r, r), v128.load(up + k)));
    }
    gate += stride;
    up += stride;
  }
}

/**
 * gate[t, k] = gate[t, k] / (1 + e^−gate[t, k]) · up[t, k]     for k in [colBegin, colEnd)
 *
 * Contract as gate_relu2, but: bit-identical in every build, and within a few ulp of the real function (simd/exp).
 */
export function gate_silu(
  gate: usize,
  up: usize,
  tokens: usize,
  stride: usize,
  colBegin: usize,
  colEnd: usize,
): void {
  const one = f32x4.splat(1);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k = colBegin << 2; k < colEnd << 2; k += 16) {
      const g = v128.load(gate + k);
      const silu = f32x4.div(g, f32x4.add(one, exp4(f32x4.neg(g))));
      v128.store(gate + k, f32x4.mul(silu, v128.load(up + k)));
    }
    gate += stride;
    up += stride;
  }
}
