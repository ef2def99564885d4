// Rotary position embedding, its table of angles, and the moves of heads beside it. NativeMath is compiled
// into the module, so the table has the same bits on every host. Math.sin of JavaScript engines differs
// between them.

import { Address } from "../address";
import { toHalves } from "../simd/half";

/**
 * frequencies[i] = base^(−2i / d) / factors[i] · (mᵢ + scale · (1 − mᵢ))   for i in [0, d/2), d = dimensions
 *
 * mᵢ is YaRN's ramp: the part of its own frequency that pair i keeps. It is 0 for pairs that rotate less than
 * betaSlow times within originalContext positions, and `extrapolation` for pairs that rotate more than
 * betaFast times. Extrapolation 0 makes it 0 for all pairs: linear scaling.
 *
 * Shapes    frequencies [dimensions / 2] · factors [dimensions / 2], or address 0 for ones
 * Types     frequencies f64 · factors f32
 * Requires  dimensions % 2 == 0 · frequencies overlap nothing
 * Range     base > 1 · scale > 0 · factors ≠ 0 · extrapolation in [0, 1]; unless it is 0, originalContext > 0
 *           and betaFast ≥ betaSlow > 0
 * Exact     bit-identical in every build
 * Splits    no
 */
export function rope_frequencies(
  frequencies: Address,
  dimensions: usize,
  base: f64,
  scale: f64,
  factors: Address,
  originalContext: f64,
  betaFast: f64,
  betaSlow: f64,
  extrapolation: f64,
): void {
  // Pairs that rotate betaFast and betaSlow times in the original context, rounded outwards as in llama.cpp.
  const pairsPerFold = <f64>dimensions / (2.0 * NativeMath.log(base));
  const fast = pairsPerFold * NativeMath.log(originalContext / (betaFast * 2.0 * NativeMath.PI));
  const slow = pairsPerFold * NativeMath.log(originalContext / (betaSlow * 2.0 * NativeMath.PI));
  const first = max(0.0, floor<f64>(fast));
  const last = min(<f64>dimensions - 1.0, ceil<f64>(slow));
  const half = dimensions >> 1;
  for (let i: usize = 0; i < half; ++i) {
    let frequency = NativeMath.pow(base, (-2.0 * <f64>i) / <f64>dimensions);
    if (factors != 0) frequency /= <f64>load<f32>(factors + (i << 2));
    let mixed: f64 = 0;
    if (extrapolation != 0) {
      const slowness = (<f64>i - first) / max(0.001, last - first);
      mixed = (1.0 - min(1.0, max(0.0, slowness))) * extrapolation;
    }
    store<f64>(frequencies + (i << 3), frequency * (mixed + scale * (1.0 - mixed)));
  }
}

/**
 * 1 if factor ≤ 1, else (1 + 0.1 · ln factor) / (1 + 0.1 · logMultiplier · ln factor)
 *
 * YaRN's factor on cosines and sines where positions are stretched by `factor`.
 *
 * Shapes    numbers
 * Types     f64
 * Requires  nothing
 * Range     logMultiplier ≥ 0; a factor of NaN gives 1
 * Exact     bit-identical in every build
 * Splits    no
 */
export function rope_magnitude(factor: f64, logMultiplier: f64): f64 {
  if (!(factor > 1.0)) return 1.0;
  const stretch = 0.1 * NativeMath.log(factor);
  return (1.0 + stretch) / (1.0 + logMultiplier * stretch);
}

/**
 * table[p − begin] = cos(p · fᵢ) · magnitude for all i, then sin(p · fᵢ) · magnitude for all i
 *
 * Shapes    table [end − begin][2][dimensions / 2] · f [dimensions / 2], from rope_frequencies
 * Types     table f32 · frequencies f64; angles in f64
 * Requires  dimensions % 2 == 0 · table overlaps nothing
 * Range     finite frequencies and magnitude · positions below 2³²
 * Exact     bit-identical in every build
 * Splits    by positions
 */
export function rope_table(
  table: Address,
  begin: usize,
  end: usize,
  dimensions: usize,
  frequencies: Address,
  magnitude: f64,
): void {
  const half = dimensions >> 1;
  for (let i: usize = 0; i < half; ++i) {
    const frequency = load<f64>(frequencies + (i << 3));
    for (let p = begin; p < end; ++p) {
      const angle = <f64>p * frequency;
      const at = table + (((p - begin) * dimensions + i) << 2);
      store<f32>(at, <f32>(NativeMath.cos(angle) * magnitude));
      store<f32>(at + (half << 2), <f32>(NativeMath.sin(angle) * magnitude));
    }
  }
}

/**
 * y[i] = x[i] · cosᵢ − x[i + d/2] · sinᵢ,  y[i + d/2] = x[i] · sinᵢ + x[i + d/2] · cosᵢ   for i in [0, d/2)
 *
 * Rotates heads by the angles of their token's position, d = dimensions, in pairs d/2 apart ("halves", NEOX
 * in llama.cpp). Elements from `dimensions` on are copied.
 *
 * Shapes    x [tokens, heads, headSize], tokens every inputStride bytes · table as in rope_table, from the
 *           first token's row on · y: head h of token t at y + h · headStride + t · tokenStride
 * Types     f32
 * Requires  dimensions % 8 == 0, headSize % 4 == 0 · y is x with the same strides, or overlaps nothing
 * Range     any values
 * Exact     bit-identical in every build: two products and one sum
 * Splits    by tokens and heads
 */
export function rope_halves(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  table: Address,
  dimensions: usize,
  y: Address,
  headStride: usize,
  tokenStride: usize,
): void {
  const half = dimensions << 1; // bytes of half a head's rotated part
  for (let t: usize = 0; t < tokens; ++t) {
    const cos = table + t * (dimensions << 2);
    const sin = cos + half;
    for (let h = headBegin; h < headEnd; ++h) {
      const from = x + t * inputStride + h * (headSize << 2);
      const to = y + t * tokenStride + h * headStride;
      for (let k: usize = 0; k < half; k += 16) {
        const c = v128.load(cos + k);
        const s = v128.load(sin + k);
        const a = v128.load(from + k);
        const b = v128.load(from + half + k);
        v128.store(to + k, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
        v128.store(to + half + k, f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c)));
      }
      for (let k = dimensions << 2; k < headSize << 2; k += 16) v128.store(to + k, v128.load(from + k));
    }
  }
}

/**
 * y[2i] = x[2i] · cosᵢ − x[2i + 1] · sinᵢ,  y[2i + 1] = x[2i] · sinᵢ + x[2i + 1] · cosᵢ   for i in [0, d/2)
 *
 * Contract as rope_halves, but pairs are neighbours ("adjacent", NORM in llama.cpp).
 */
export function rope_adjacent(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  table: Address,
  dimensions: usize,
  y: Address,
  headStride: usize,
  tokenStride: usize,
): void {
  const half = dimensions << 1;
  for (let t: usize = 0; t < tokens; ++t) {
    const cos = table + t * (dimensions << 2);
    const sin = cos + half;
    for (let h = headBegin; h < headEnd; ++h) {
      const from = x + t * inputStride + h * (headSize << 2);
      const to = y + t * tokenStride + h * headStride;
      for (let k: usize = 0; k < half; k += 16) {
        const c = v128.load(cos + k);
        const s = v128.load(sin + k);
        const low = v128.load(from + (k << 1));
        const high = v128.load(from + (k << 1), 16);
        const a = i32x4.shuffle(low, high, 0, 2, 4, 6);
        const b = i32x4.shuffle(low, high, 1, 3, 5, 7);
        const re = f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s));
        const im = f32x4.add(f32x4.mul(a, s), f32x4.mul(b, c));
        v128.store(to + (k << 1), i32x4.shuffle(re, im, 0, 4, 1, 5));
        v128.store(to + (k << 1), i32x4.shuffle(re, im, 2, 6, 3, 7), 16);
      }
      for (let k = dimensions << 2; k < headSize << 2; k += 16) v128.store(to + k, v128.load(from + k));
    }
  }
}

/**
 * y[t, h, p, k] = x[t, h, p, k] if x has it, else 0   for parts p of a head, k in [0, toSize / parts)
 *
 * Copies heads into heads of another size, part by part: a longer part ends in zeros, a shorter one loses its
 * end. Kernels need whole vectors of a head, so heads of 100 become heads of 104. For rope_halves, whose
 * pairs are half a head apart, they have two parts, of 50 and then of 52.
 *
 * Shapes    x [tokens, heads, headSize], tokens every inputStride bytes · y [tokens, heads, toSize], tokens
 *           every outputStride bytes
 * Types     f32
 * Requires  headSize % parts == 0, toSize % parts == 0 · y overlaps nothing
 * Range     any values
 * Exact     bits are copied
 * Splits    by tokens and heads
 */
export function resize_heads(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  parts: usize,
  y: Address,
  outputStride: usize,
  toSize: usize,
): void {
  const fromBytes = (headSize << 2) / parts;
  const toBytes = (toSize << 2) / parts;
  const kept = min(fromBytes, toBytes);
  for (let t: usize = 0; t < tokens; ++t) {
    for (let part = headBegin * parts; part < headEnd * parts; ++part) {
      const to = y + t * outputStride + part * toBytes;
      memory.copy(to, x + t * inputStride + part * fromBytes, kept);
      memory.fill(to + kept, 0, toBytes - kept);
    }
  }
}

/**
 * y[t, h, k] = x[t, h, k] as an IEEE half                      for h in [headBegin, headEnd)
 *
 * Rounds to the nearest, ties to even, and to ±65504 beyond it. Keys and values enter their cache so.
 *
 * Shapes    x [tokens, heads, headSize], tokens every inputStride bytes · y: head h of token t at y + h ·
 *           headStride + t · tokenStride
 * Types     x f32 · y IEEE halves
 * Requires  headSize % 8 == 0 · y overlaps nothing
 * Range     no NaN
 * Exact     bit-exact to the conversion of IEEE 754 for |x| ≤ 65504
 * Splits    by tokens and heads
 */
export function store_heads_f16(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  y: Address,
  headStride: usize,
  tokenStride: usize,
): void {
  for (let t: usize = 0; t < tokens; ++t) {
    for (let h = headBegin; h < headEnd; ++h) {
      const from = x + t * inputStride + h * (headSize << 2);
      const to = y + t * tokenStride + h * headStride;
      for (let k: usize = 0; k < headSize << 1; k += 16) {
        const at = from + (k << 1);
        v128.store(to + k, toHalves(v128.load(at), v128.load(at, 16)));
      }
    }
  }
}
