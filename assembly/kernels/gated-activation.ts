import { Address } from "../address";
import { exp4 } from "../simd/exp";

/**
 * gate[t, k] = relu(gate[t, k])² · up[t, k]                    for k in [colBegin, colEnd)
 *
 * Shapes    gate, up [tokens, cols], tokens every stride bytes
 * Types     f32
 * Requires  colBegin % 4 == 0, colEnd % 4 == 0 · up overlaps no gate
 * Range     any values; a gate of NaN gives NaN
 * Exact     bit-identical in every build and to the native engine: (r · r) · up
 * Splits    by tokens and columns
 */
export function gate_relu2(
  gate: Address,
  up: Address,
  tokens: usize,
  stride: usize,
  colBegin: usize,
  colEnd: usize,
): void {
  const zero = f32x4.splat(0);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k = colBegin << 2; k < colEnd << 2; k += 16) {
      const r = f32x4.pmax(v128.load(gate + k), zero);
      v128.store(gate + k, f32x4.mul(f32x4.mul(r, r), v128.load(up + k)));
    }
    gate += stride;
    up += stride;
  }
}

/**
 * gate[t, k] = gate[t, k] / (1 + e^−gate[t, k]) · up[t, k]     for k in [colBegin, colEnd)
 *
 * Contract as gate_relu2, but the native engine has other bits: both are within a few ulp of the function.
 * Below a gate of −87, the exponential stops growing (simd/exp): the result is under |gate · up| · 1e-37.
 */
export function gate_silu(
  gate: Address,
  up: Address,
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

/** 2·√(2/π), and below it 0.044715 times that. */
// @ts-ignore: decorator
@inline
const GELU_LINEAR: f32 = 1.5957691216057308;
// @ts-ignore: decorator
@inline
const GELU_CUBIC: f32 = 0.07135481627260025;

/**
 * gate[t, k] = ½ · g · (1 + tanh(√(2/π) · (g + 0.044715 g³))) · up[t, k],  g = gate[t, k]
 *
 * Contract as gate_relu2, but the native engine has other bits: it reads a table of halves. Computed as g /
 * (1 + e^−2z), where z is the argument of the tanh: the same function without a difference of numbers near 1
 * at negative g. A relative error of z counts |2z| times. Where 2z is below −87, as in gate_silu.
 */
export function gate_gelu(
  gate: Address,
  up: Address,
  tokens: usize,
  stride: usize,
  colBegin: usize,
  colEnd: usize,
): void {
  const one = f32x4.splat(1);
  const linear = f32x4.splat(GELU_LINEAR);
  const cubic = f32x4.splat(GELU_CUBIC);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let k = colBegin << 2; k < colEnd << 2; k += 16) {
      const g = v128.load(gate + k);
      const z2 = f32x4.mul(g, f32x4.add(linear, f32x4.mul(cubic, f32x4.mul(g, g))));
      const gelu = f32x4.div(g, f32x4.add(one, exp4(f32x4.neg(z2))));
      v128.store(gate + k, f32x4.mul(gelu, v128.load(up + k)));
    }
    gate += stride;
    up += stride;
  }
}
