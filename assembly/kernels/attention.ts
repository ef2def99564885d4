import { exp4 } from "../simd/exp";
import { sumLanesF32 } from "../simd/lanes";

/** q · k over one head: four interleaved sums, so that additions overlap. */
// @ts-ignore: decorator
@inline
function dotHead(q: usize, k: usize, headBytes: usize): f32 {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let i: usize = 0;
  for (; i + 64 <= headBytes; i += 64) {
    a = f32x4.add(a, f32x4.mul(v128.load(q + i), v128.load(k + i)));
    b = f32x4.add(b, f32x4.mul(v128.load(q + i, 16), v128.load(k + i, 16)));
    c = f32x4.add(c, f32x4.mul(v128.load(q + i, 32), v128.load(k + i, 32)));
    d = f32x4.add(d, f32x4.mul(v128.load(q + i, 48), v128.load(k + i, 48)));
  }
  for (; i < headBytes; i += 16) a = f32x4.add(a, f32x4.mul(v128.load(q + i), v128.load(k + i)));
  return sumLanesF32(f32x4.add(f32x4.add(a, c), f32x4.add(b, d)));
}

/** out[0…31] = Σⱼ (weights[j] · inverse) · v[j][0…31], j ascending; eight vectors stay in registers throughout. */
// @ts-ignore: decorator
@inline
function mix32(weights: usize, inverse: f32, v: usize, stride: usize, count: usize, out: usize): void {
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let e = a;
  let f = a;
  let g = a;
  let h = a;
  for (let j: usize = 0; j < count; ++j) {
    const w = f32x4.splat(load<f32>(weights + (j << 2)) * inverse);
    a = f32x4.add(a, f32x4.mul(w, v128.load(v)));
    b = f32x4.add(b, f32x4.mul(w, v128.load(v, 16)));
    c = f32x4.add(c, f32x4.mul(w, v128.load(v, 32)));
    d = f32x4.add(d, f32x4.mul(w, v128.load(v, 48)));
    e = f32x4.add(e, f32x4.mul(w, v128.load(v, 64)));
    f = f32x4.add(f, f32x4.mul(w, v128.load(v, 80)));
    g = f32x4.add(g, f32x4.mul(w, v128.load(v, 96)));
    h = f32x4.add(h, f32x4.mul(w, v128.load(v, 112)));
    v += stride;
  }
  v128.store(out, a);
  v128.store(out, b, 16);
  v128.store(out, c, 32);
  v128.store(out, d, 48);
  v128.store(out, e, 64);
  v128.store(out, f, 80);
  v128.store(out, g, 96);
  v128.store(out, h, 112);
}

/** The same for four elements. */
// @ts-ignore: decorator
@inline
function mix4(weights: usize, inverse: f32, v: usize, stride: usize, count: usize, out: usize): void {
  let a = f32x4.splat(0);
  for (let j: usize = 0; j < count; ++j) {
    a = f32x4.add(a, f32x4.mul(f32x4.splat(load<f32>(weights + (j << 2)) * inverse), v128.load(v)));
    v += stride;
  }
  v128.store(out, a);
}

/**
 * Causal attention of one query head over the cached keys and values of its group.
 *
 *   p = softmaxⱼ(scale · q[t] · K[j]),  out[t] = Σⱼ p[j] · V[j]      for j in [0, position + t]
 *
 * Shapes    q [tokens, headSize] every queryStride bytes · K, V [positions, headSize] · out as q every outStride bytes
 *           · scores [≥ position + tokens, rounded up to 4] scratch of the caller's own
 * Types     f32
 * Requires  headSize % 4 == 0 · 16-byte aligned scores
 * Exact     bit-identical in every build. Each output depends on its own token and the positions up to it, in an order
 *           fixed by the positions alone: prefill at once and token by token give the same bytes
 * Splits    by tokens and heads
 */
export function attention(
  q: usize,
  queryStride: usize,
  keys: usize,
  values: usize,
  headSize: usize,
  position: usize,
  tokens: usize,
  scale: f32,
  scores: usize,
  out: usize,
  outStride: usize,
): void {
  const headBytes = headSize << 2;
  for (let t: usize = 0; t < tokens; ++t) {
    const count = position + t + 1;
    let largest: f32 = -Infinity;
    let k = keys;
    for (let j: usize = 0; j < count; ++j) {
      const score = dotHead(q, k, headBytes) * scale;
      store<f32>(scores + (j << 2), score);
      largest = max(largest, score);
      k += headBytes;
    }
    // Up to three places past the end join the last vector as −∞.
    for (let j = count; j & 3; ++j) store<f32>(scores + (j << 2), -Infinity);
    const shift = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    for (let j: usize = 0; j < count; j += 4) {
      const at = scores + (j << 2);
      const score = v128.load(at);
      // exp4 never returns zero, so what lies past the end is masked out of the sum.
      const weight = v128.and(exp4(f32x4.sub(score, shift)), f32x4.gt(score, f32x4.splat(-Infinity)));
      v128.store(at, weight);
      sums = f32x4.add(sums, weight);
    }
    const inverse: f32 = 1 / sumLanesF32(sums);
    let i: usize = 0;
    for (; i + 128 <= headBytes; i += 128) mix32(scores, inverse, values + i, headBytes, count, out + i);
    for (; i < headBytes; i += 16) mix4(scores, inverse, values + i, headBytes, count, out + i);
    q += queryStride;
    out += outStride;
  }
}
