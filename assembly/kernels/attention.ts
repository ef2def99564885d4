import { exp4 } from "../simd/exp";
import { CACHED_UNIT, QUERY_UNIT, halfEvens, halfMask, halfOdds } from "../simd/half";
import { sumLanesF32 } from "../simd/lanes";

// A key or value row is read once for up to four query heads that share it. Halves are widened without their unit of 2¹¹²
// (simd/half): queries and weights carry 2¹⁰⁰ of it, which leaves room on both sides, and the results the other 2¹².

/** Positions whose values are worked on together: 64 KiB of heads of 128, which the caches hold for all strips of columns. */
// @ts-ignore: decorator
@inline
const VALUE_BLOCK: usize = 256;

/**
 * Causal attention of query heads that share a key and value head.
 *
 *   p[h] = softmaxⱼ(scale · q[t, h] · K[j]),  out[t, h] = Σⱼ p[h, j] · V[j]      for the last `window` j of [0, position + t]
 *
 * Shapes    q [tokens, heads, headSize], tokens every queryStride bytes · K, V [positions, headSize] · out as q, tokens every
 *           outStride bytes · scratch of the caller's own: 4 · (headSize + positions rounded up to 4) f32
 * Types     q, out f32 · K, V IEEE halves, finite
 * Requires  headSize % 8 == 0 · window > 0 · 16-byte aligned scratch · scratchPositions % 4 == 0, ≥ position + tokens
 * Range     |q| < 2²⁷
 * Exact     bit-identical in every build. Each output depends on its own token and head and the positions it sees, in an
 *           order fixed by the positions alone: prefill at once and token by token give the same bytes
 * Splits    by tokens and heads
 */
export function attention(
  q: usize,
  queryStride: usize,
  keys: usize,
  values: usize,
  headSize: usize,
  heads: usize,
  position: usize,
  tokens: usize,
  window: usize,
  scale: f32,
  scratch: usize,
  scratchPositions: usize,
  out: usize,
  outStride: usize,
): void {
  const headBytes = headSize << 2;
  for (let t: usize = 0; t < tokens; ++t) {
    const count = min(window, position + t + 1);
    const first = (position + t + 1 - count) * (headSize << 1);
    const seenKeys = keys + first;
    const seenValues = values + first;
    let h: usize = 0;
    for (; h + 4 <= heads; h += 4) {
      const at = h * headBytes;
      attend<u32>(q + at, seenKeys, seenValues, headSize, count, scale, scratch, scratchPositions, out + at);
    }
    for (; h + 2 <= heads; h += 2) {
      const at = h * headBytes;
      attend<u16>(q + at, seenKeys, seenValues, headSize, count, scale, scratch, scratchPositions, out + at);
    }
    for (; h < heads; ++h) {
      const at = h * headBytes;
      attend<u8>(q + at, seenKeys, seenValues, headSize, count, scale, scratch, scratchPositions, out + at);
    }
    q += queryStride;
    out += outStride;
  }
}

/** One token and sizeof<G>() heads: 4, 2 or 1. */
// @ts-ignore: decorator
@inline
function attend<G>(
  q: usize,
  keys: usize,
  values: usize,
  headSize: usize,
  count: usize,
  scale: f32,
  scratch: usize,
  scratchPositions: usize,
  out: usize,
): void {
  const scores = scratch + sizeof<G>() * (headSize << 2);
  const scoreStride = scratchPositions << 2;
  splitQueries(q, scratch, sizeof<G>() * headSize);
  scoreKeys<G>(scratch, headSize, keys, count, scale * CACHED_UNIT, scores, scoreStride);
  for (let h: usize = 0; h < sizeof<G>(); ++h) softmax(scores + h * scoreStride, count);
  memory.fill(out, 0, sizeof<G>() * (headSize << 2));
  for (let begin: usize = 0; begin < count; begin += VALUE_BLOCK) {
    const end = min(count, begin + VALUE_BLOCK);
    for (let column: usize = 0; column < headSize; column += 8) {
      mixValues<G>(scores, scoreStride, values + (column << 1), headSize, begin, end, out + (column << 2));
    }
  }
  for (let i: usize = 0; i < sizeof<G>() * (headSize << 2); i += 32) joinColumns(out + i);
}

/** Every eight elements of the queries, times 2¹⁰⁰: the even ones, then the odd ones, as halves come. */
// @ts-ignore: decorator
@inline
function splitQueries(q: usize, to: usize, length: usize): void {
  const unit = f32x4.splat(QUERY_UNIT);
  for (let i: usize = 0; i < length << 2; i += 32) {
    const low = f32x4.mul(v128.load(q + i), unit);
    const high = f32x4.mul(v128.load(q + i, 16), unit);
    v128.store(to + i, i32x4.shuffle(low, high, 0, 2, 4, 6));
    v128.store(to + i, i32x4.shuffle(low, high, 1, 3, 5, 7), 16);
  }
}

/** scores[h][j] = q[h] · K[j] · scale for all heads and positions. */
// @ts-ignore: decorator
@inline
function scoreKeys<G>(
  q: usize,
  headSize: usize,
  keys: usize,
  count: usize,
  scale: f32,
  scores: usize,
  scoreStride: usize,
): void {
  const mask = halfMask();
  const rowBytes = headSize << 1;
  let j: usize = 0;
  for (; j + 2 <= count; j += 2) {
    scorePair<G>(q, headSize, keys + j * rowBytes, mask, scale, scores + (j << 2), scoreStride);
  }
  if (j < count) scoreOne<G>(q, headSize, keys + j * rowBytes, mask, scale, scores + (j << 2), scoreStride);
}

/** Scores of two positions: a vector of queries is loaded once for both. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function scorePair<G>(q: usize, headSize: usize, key: usize, mask: v128, scale: f32, to: usize, stride: usize): void {
  const headBytes = headSize << 2, rowBytes = headSize << 1;
  const q1 = headBytes, q2 = headBytes << 1, q3 = headBytes * 3;
  const zero = f32x4.splat(0);
  let s00 = zero, s01 = zero;
  let s10 = zero, s11 = zero;
  let s20 = zero, s21 = zero;
  let s30 = zero, s31 = zero;
  for (let end = key + rowBytes; key < end; key += 16) {
    const v0 = v128.load(key), e0 = halfEvens(v0, mask), o0 = halfOdds(v0, mask);
    const v1 = v128.load(key + rowBytes), e1 = halfEvens(v1, mask), o1 = halfOdds(v1, mask);
    const qe0 = v128.load(q), qo0 = v128.load(q, 16);
    s00 = f32x4.add(f32x4.add(s00, f32x4.mul(e0, qe0)), f32x4.mul(o0, qo0));
    s01 = f32x4.add(f32x4.add(s01, f32x4.mul(e1, qe0)), f32x4.mul(o1, qo0));
    if (sizeof<G>() >= 2) {
      const qe1 = v128.load(q + q1), qo1 = v128.load(q + q1, 16);
      s10 = f32x4.add(f32x4.add(s10, f32x4.mul(e0, qe1)), f32x4.mul(o0, qo1));
      s11 = f32x4.add(f32x4.add(s11, f32x4.mul(e1, qe1)), f32x4.mul(o1, qo1));
    }
    if (sizeof<G>() == 4) {
      const qe2 = v128.load(q + q2), qo2 = v128.load(q + q2, 16);
      s20 = f32x4.add(f32x4.add(s20, f32x4.mul(e0, qe2)), f32x4.mul(o0, qo2));
      s21 = f32x4.add(f32x4.add(s21, f32x4.mul(e1, qe2)), f32x4.mul(o1, qo2));
      const qe3 = v128.load(q + q3), qo3 = v128.load(q + q3, 16);
      s30 = f32x4.add(f32x4.add(s30, f32x4.mul(e0, qe3)), f32x4.mul(o0, qo3));
      s31 = f32x4.add(f32x4.add(s31, f32x4.mul(e1, qe3)), f32x4.mul(o1, qo3));
    }
    q += 32;
  }
  store<f32>(to, sumLanesF32(s00) * scale);
  if (sizeof<G>() >= 2) store<f32>(to + stride, sumLanesF32(s10) * scale);
  if (sizeof<G>() == 4) store<f32>(to + (stride << 1), sumLanesF32(s20) * scale);
  if (sizeof<G>() == 4) store<f32>(to + stride * 3, sumLanesF32(s30) * scale);
  store<f32>(to, sumLanesF32(s01) * scale, 4);
  if (sizeof<G>() >= 2) store<f32>(to + stride, sumLanesF32(s11) * scale, 4);
  if (sizeof<G>() == 4) store<f32>(to + (stride << 1), sumLanesF32(s21) * scale, 4);
  if (sizeof<G>() == 4) store<f32>(to + stride * 3, sumLanesF32(s31) * scale, 4);
}

/** Scores of one position, in the same order of operations. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function scoreOne<G>(q: usize, headSize: usize, key: usize, mask: v128, scale: f32, to: usize, stride: usize): void {
  const headBytes = headSize << 2, rowBytes = headSize << 1;
  const q1 = headBytes, q2 = headBytes << 1, q3 = headBytes * 3;
  const zero = f32x4.splat(0);
  let s00 = zero;
  let s10 = zero;
  let s20 = zero;
  let s30 = zero;
  for (let end = key + rowBytes; key < end; key += 16) {
    const v0 = v128.load(key), e0 = halfEvens(v0, mask), o0 = halfOdds(v0, mask);
    const qe0 = v128.load(q), qo0 = v128.load(q, 16);
    s00 = f32x4.add(f32x4.add(s00, f32x4.mul(e0, qe0)), f32x4.mul(o0, qo0));
    if (sizeof<G>() >= 2) {
      const qe1 = v128.load(q + q1), qo1 = v128.load(q + q1, 16);
      s10 = f32x4.add(f32x4.add(s10, f32x4.mul(e0, qe1)), f32x4.mul(o0, qo1));
    }
    if (sizeof<G>() == 4) {
      const qe2 = v128.load(q + q2), qo2 = v128.load(q + q2, 16);
      s20 = f32x4.add(f32x4.add(s20, f32x4.mul(e0, qe2)), f32x4.mul(o0, qo2));
      const qe3 = v128.load(q + q3), qo3 = v128.load(q + q3, 16);
      s30 = f32x4.add(f32x4.add(s30, f32x4.mul(e0, qe3)), f32x4.mul(o0, qo3));
    }
    q += 32;
  }
  store<f32>(to, sumLanesF32(s00) * scale);
  if (sizeof<G>() >= 2) store<f32>(to + stride, sumLanesF32(s10) * scale);
  if (sizeof<G>() == 4) store<f32>(to + (stride << 1), sumLanesF32(s20) * scale);
  if (sizeof<G>() == 4) store<f32>(to + stride * 3, sumLanesF32(s30) * scale);
}

/** Scores become weights that add up to 1, times 2¹⁰⁰. */
// @ts-ignore: decorator
@inline
function softmax(scores: usize, count: usize): void {
  // Up to three places past the end join the last vector as −∞.
  for (let j = count; j & 3; ++j) store<f32>(scores + (j << 2), -Infinity);
  const end = scores + (count << 2);
  let largest4 = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) largest4 = f32x4.max(largest4, v128.load(at));
  const pairs = f32x4.max(largest4, i32x4.shuffle(largest4, largest4, 2, 3, 0, 1));
  const shift = f32x4.splat(max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1)));
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const score = v128.load(at);
    // exp4 never returns zero, so what lies past the end is masked out of the sum.
    const weight = v128.and(exp4(f32x4.sub(score, shift)), f32x4.gt(score, f32x4.splat(-Infinity)));
    v128.store(at, weight);
    sums = f32x4.add(sums, weight);
  }
  const inverse = f32x4.splat(<f32>1 / sumLanesF32(sums));
  const unit = f32x4.splat(QUERY_UNIT);
  for (let at = scores; at < end; at += 16) {
    v128.store(at, f32x4.mul(f32x4.mul(v128.load(at), inverse), unit));
  }
}

/** out[h][0…7] += Σⱼ weights[h][j] · V[j][0…7] for j in [begin, end), evens and odds apart, j ascending. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixValues<G>(weights: usize, weightStride: usize, values: usize, headSize: usize, begin: usize, end: usize, out: usize): void {
  const mask = halfMask(), rowBytes = headSize << 1, outStride = headSize << 2;
  const stride2 = weightStride << 1, stride3 = weightStride * 3;
  let a0 = v128.load(out), b0 = v128.load(out, 16), a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  if (sizeof<G>() >= 2) { a1 = v128.load(out + outStride); b1 = v128.load(out + outStride, 16); }
  if (sizeof<G>() == 4) {
    a2 = v128.load(out + (outStride << 1)); b2 = v128.load(out + (outStride << 1), 16);
    a3 = v128.load(out + outStride * 3); b3 = v128.load(out + outStride * 3, 16);
  }
  let v = values + begin * rowBytes, at = weights + (begin << 2);
  const last = weights + (end << 2);
  for (; at + 8 <= last; at += 8) {
    const wv = v128.load(v), we = halfEvens(wv, mask), wo = halfOdds(wv, mask);
    const w0 = v128.load_splat<u32>(at); a0 = f32x4.add(a0, f32x4.mul(w0, we)); b0 = f32x4.add(b0, f32x4.mul(w0, wo));
    if (sizeof<G>() >= 2) { const w1 = v128.load_splat<u32>(at + weightStride); a1 = f32x4.add(a1, f32x4.mul(w1, we)); b1 = f32x4.add(b1, f32x4.mul(w1, wo)); }
    if (sizeof<G>() == 4) { const w2 = v128.load_splat<u32>(at + stride2); a2 = f32x4.add(a2, f32x4.mul(w2, we)); b2 = f32x4.add(b2, f32x4.mul(w2, wo)); }
    if (sizeof<G>() == 4) { const w3 = v128.load_splat<u32>(at + stride3); a3 = f32x4.add(a3, f32x4.mul(w3, we)); b3 = f32x4.add(b3, f32x4.mul(w3, wo)); }
    const uv = v128.load(v + rowBytes), ue = halfEvens(uv, mask), uo = halfOdds(uv, mask);
    const u0 = v128.load_splat<u32>(at, 4); a0 = f32x4.add(a0, f32x4.mul(u0, ue)); b0 = f32x4.add(b0, f32x4.mul(u0, uo));
    if (sizeof<G>() >= 2) { const u1 = v128.load_splat<u32>(at + weightStride, 4); a1 = f32x4.add(a1, f32x4.mul(u1, ue)); b1 = f32x4.add(b1, f32x4.mul(u1, uo)); }
    if (sizeof<G>() == 4) { const u2 = v128.load_splat<u32>(at + stride2, 4); a2 = f32x4.add(a2, f32x4.mul(u2, ue)); b2 = f32x4.add(b2, f32x4.mul(u2, uo)); }
    if (sizeof<G>() == 4) { const u3 = v128.load_splat<u32>(at + stride3, 4); a3 = f32x4.add(a3, f32x4.mul(u3, ue)); b3 = f32x4.add(b3, f32x4.mul(u3, uo)); }
    v += rowBytes << 1;
  }
  if (at < last) {
    const wv = v128.load(v), we = halfEvens(wv, mask), wo = halfOdds(wv, mask);
    const w0 = v128.load_splat<u32>(at); a0 = f32x4.add(a0, f32x4.mul(w0, we)); b0 = f32x4.add(b0, f32x4.mul(w0, wo));
    if (sizeof<G>() >= 2) { const w1 = v128.load_splat<u32>(at + weightStride); a1 = f32x4.add(a1, f32x4.mul(w1, we)); b1 = f32x4.add(b1, f32x4.mul(w1, wo)); }
    if (sizeof<G>() == 4) { const w2 = v128.load_splat<u32>(at + stride2); a2 = f32x4.add(a2, f32x4.mul(w2, we)); b2 = f32x4.add(b2, f32x4.mul(w2, wo)); }
    if (sizeof<G>() == 4) { const w3 = v128.load_splat<u32>(at + stride3); a3 = f32x4.add(a3, f32x4.mul(w3, we)); b3 = f32x4.add(b3, f32x4.mul(w3, wo)); }
  }
  v128.store(out, a0); v128.store(out, b0, 16);
  if (sizeof<G>() >= 2) { v128.store(out + outStride, a1); v128.store(out + outStride, b1, 16); }
  if (sizeof<G>() == 4) {
    v128.store(out + (outStride << 1), a2); v128.store(out + (outStride << 1), b2, 16);
    v128.store(out + outStride * 3, a3); v128.store(out + outStride * 3, b3, 16);
  }
}

/** Eight columns back in their order, with the unit that was left out. */
// @ts-ignore: decorator
@inline
function joinColumns(out: usize): void {
  const unit = f32x4.splat(CACHED_UNIT);
  const evens = f32x4.mul(v128.load(out), unit);
  const odds = f32x4.mul(v128.load(out, 16), unit);
  v128.store(out, i32x4.shuffle(evens, odds, 0, 4, 1, 5));
  v128.store(out, i32x4.shuffle(evens, odds, 2, 6, 3, 7), 16);
}
