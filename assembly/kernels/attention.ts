// Attention of one token and the query heads that share a key and value head, in groups of 4, 2 and 1 heads:
//
//   queries   split into even and odd elements, as halves are widened, times 2¹⁰⁰
//   scores    s[h, j] = q[h] · K[j] · scale · 2¹²       each key row is read once for all heads of a group
//   weights   p[h, j] = softmaxⱼ s[h, j] · 2¹⁰⁰
//   values    out[h] += p[h, j] · V[j]                  by blocks of positions and strips of sixteen columns
//   output    columns back in their order, times 2¹²
//
// Halves are widened without their unit of 2¹¹² (simd/half). Queries and weights carry 2¹⁰⁰ of it, which
// leaves room on both sides. Scores and output get the other 2¹².

import { Address } from "../address";
import { exp4 } from "../simd/exp";
import { CACHED_UNIT, QUERY_UNIT, halfEvens, halfMask, halfOdds } from "../simd/half";
import { horizontalMax, sumLanesF32 } from "../simd/lanes";
import { touch } from "../tiles/touch";

/**
 * Positions whose values are mixed together: 4 KiB of heads of 128. The first-level cache keeps them for all
 * strips.
 */
// @ts-ignore: decorator
@inline
const VALUE_BLOCK: usize = 16;

/** Two vectors of sums for each of four heads. The scratch begins with room for four positions. */
// @ts-ignore: decorator
@inline
const SUMS_BYTES: usize = 128;

/**
 * p[h] = softmaxⱼ(scale · q[t, h] · K[j]),  out[t, h] = Σⱼ p[h, j] · V[j]
 *                                                             for the last `window` j of [0, position + t]
 *
 * Causal attention of query heads that share a key and value head.
 *
 * Shapes    q [tokens, heads, headSize], tokens every queryStride bytes · K, V [positions, headSize] · out as
 *           q, tokens every outStride bytes · scratch of the caller's own: 512 bytes and 4 · (headSize +
 *           scratchPositions) f32
 * Types     q, out f32 · K, V IEEE halves, finite
 * Requires  headSize % 8 == 0 · window > 0 · 16-byte aligned scratch · scratchPositions % 8 == 0, ≥ position
 *           + tokens · out overlaps nothing
 * Range     |q| < 2²⁷
 * Exact     bit-identical in every build. An output depends on its token, its head and the positions it sees.
 *           Their order is fixed by the positions alone. Prefill at once and token by token give the same
 *           bytes
 * Splits    by tokens and heads
 */
export function attention(
  q: Address,
  queryStride: usize,
  keys: Address,
  values: Address,
  headSize: usize,
  heads: usize,
  position: usize,
  tokens: usize,
  window: usize,
  scale: f32,
  scratch: Address,
  scratchPositions: usize,
  out: Address,
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
  const headBytes = headSize << 2;
  const rowBytes = headSize << 1;
  const queries = scratch + 4 * SUMS_BYTES;
  const scores = queries + sizeof<G>() * headBytes;
  const stride = scratchPositions << 2;
  splitQueries(q, queries, headSize, sizeof<G>());
  scoreKeys<G>(queries, headSize, keys, count, scale * CACHED_UNIT, scores, stride, scratch);
  for (let h: usize = 0; h < sizeof<G>(); ++h) softmax(scores + h * stride, count, scratch);
  memory.fill(out, 0, sizeof<G>() * headBytes);
  for (let begin: usize = 0; begin < count; begin += VALUE_BLOCK) {
    const block = min(count - begin, VALUE_BLOCK);
    const weights = scores + (begin << 2);
    let at = values + begin * rowBytes;
    let to = out;
    touch(at, block * rowBytes, scratch);
    for (const end = at + (rowBytes & ~31); at < end; at += 32, to += 64) {
      mixSixteen<G>(weights, stride, at, rowBytes, block, to, headBytes);
    }
    if (headSize & 8) {
      for (let h: usize = 0; h < sizeof<G>(); ++h) {
        mixEight(weights + h * stride, at, rowBytes, block, to + h * headBytes);
      }
    }
  }
  for (let h: usize = 0; h < sizeof<G>(); ++h) joinColumns(out + h * headBytes, headSize);
}

/**
 * Multiplies a query by 2¹⁰⁰ and reorders every sixteen elements. First come the evens of both eights, then
 * their odds. The kernel widens float16 keys in the same order. If eight elements remain, their evens come
 * before their odds.
 */
// @ts-ignore: decorator
@inline
function splitQueries(q: usize, to: usize, headSize: usize, heads: usize): void {
  const unit = f32x4.splat(QUERY_UNIT);
  for (let h: usize = 0; h < heads; ++h) {
    const end = to + (headSize << 2);
    for (; to + 64 <= end; to += 64, q += 64) {
      splitEight(q, unit, to, 32);
      splitEight(q + 32, unit, to + 16, 32);
    }
    if (to < end) {
      splitEight(q, unit, to, 16);
      to += 32;
      q += 32;
    }
  }
}

/** Eight elements: the even ones at `to`, the odd ones `oddsAt` bytes further. */
// @ts-ignore: decorator
@inline
function splitEight(q: usize, unit: v128, to: usize, oddsAt: usize): void {
  const low = f32x4.mul(v128.load(q), unit);
  const high = f32x4.mul(v128.load(q, 16), unit);
  v128.store(to, i32x4.shuffle(low, high, 0, 2, 4, 6));
  v128.store(to + oddsAt, i32x4.shuffle(low, high, 1, 3, 5, 7));
}

/** sum + evens · qEvens + odds · qOdds in each of four lanes. */
// @ts-ignore: decorator
@inline
function addPair(sum: v128, evens: v128, odds: v128, qEvens: v128, qOdds: v128): v128 {
  return f32x4.add(sum, f32x4.add(f32x4.mul(evens, qEvens), f32x4.mul(odds, qOdds)));
}

/**
 * scores[h][j] = q[h] · K[j] · scale for all heads and positions.
 *
 *   for every four positions j: sums[j][h] = the products of K[j] and q[h], eight interleaved series
 *                               scores[h][j … j + 3] = the eight series of each added up
 *
 * Sixteen elements are one step: two vectors of eight with sums of their own, pairs for the revectorizer
 * (docs/KERNELS.md).
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function scoreKeys<G>(q: usize, headSize: usize, keys: usize, count: usize, scale: f32, scores: usize, stride: usize, sums: usize): void {
  const rowBytes = headSize << 1;
  for (let first: usize = 0; first < count; first += 4) {
    const rows = min(count - first, 4);
    for (let j: usize = 0; j < rows; ++j, keys += rowBytes) {
      sumProducts<G>(q, headSize, keys, sums + j * SUMS_BYTES);
    }
    for (let h: usize = 0; h < sizeof<G>(); ++h, scores += stride) {
      v128.store(scores, f32x4.mul(addFourUp(sums + (h << 5)), f32x4.splat(scale)));
    }
    scores += 16 - sizeof<G>() * stride;
  }
}

/**
 * sums[h] = the products of one key with the query of head h, in two vectors.
 *
 * sums [sizeof<G>()][2] vectors · q [sizeof<G>(), headSize], split · key [headSize] halves
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function sumProducts<G>(q: usize, headSize: usize, key: usize, sums: usize): void {
  const mask = halfMask(), zero = f32x4.splat(0);
  const headBytes = headSize << 2, rowBytes = headSize << 1, pairBytes = rowBytes & ~31;
  const q1 = headBytes, q2 = headBytes << 1, q3 = headBytes * 3;
  let s0a = zero, s0b = zero, s1a = zero, s1b = zero, s2a = zero, s2b = zero, s3a = zero, s3b = zero;
  for (const end = key + pairBytes; key < end; key += 32, q += 64) {
    const va = v128.load(key), vb = v128.load(key, 16);
    const ea = halfEvens(va, mask), eb = halfEvens(vb, mask);
    const oa = halfOdds(va, mask), ob = halfOdds(vb, mask);
    s0a = addPair(s0a, ea, oa, v128.load(q), v128.load(q, 32));
    s0b = addPair(s0b, eb, ob, v128.load(q, 16), v128.load(q, 48));
    if (sizeof<G>() >= 2) {
      s1a = addPair(s1a, ea, oa, v128.load(q + q1), v128.load(q + q1, 32));
      s1b = addPair(s1b, eb, ob, v128.load(q + q1, 16), v128.load(q + q1, 48));
    }
    if (sizeof<G>() == 4) {
      s2a = addPair(s2a, ea, oa, v128.load(q + q2), v128.load(q + q2, 32));
      s2b = addPair(s2b, eb, ob, v128.load(q + q2, 16), v128.load(q + q2, 48));
      s3a = addPair(s3a, ea, oa, v128.load(q + q3), v128.load(q + q3, 32));
      s3b = addPair(s3b, eb, ob, v128.load(q + q3, 16), v128.load(q + q3, 48));
    }
  }
  v128.store(sums, s0a); v128.store(sums, s0b, 16);
  if (sizeof<G>() >= 2) { v128.store(sums, s1a, 32); v128.store(sums, s1b, 48); }
  if (sizeof<G>() == 4) {
    v128.store(sums, s2a, 64); v128.store(sums, s2b, 80);
    v128.store(sums, s3a, 96); v128.store(sums, s3b, 112);
  }
  if (pairBytes == rowBytes) return;
  // The last eight elements, where headSize is not a multiple of sixteen.
  const v = v128.load(key), evens = halfEvens(v, mask), odds = halfOdds(v, mask);
  for (let h: usize = 0; h < sizeof<G>(); ++h, sums += 32, q += headBytes) {
    v128.store(sums, addPair(v128.load(sums), evens, odds, v128.load(q), v128.load(q, 16)));
  }
}

/**
 * The eight sums of each of four positions: (lane 0 + lane 2) + (lane 1 + lane 3) of the two vectors' sum.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function addFourUp(sums: usize): v128 {
  const s0 = f32x4.add(v128.load(sums), v128.load(sums, 16));
  const s1 = f32x4.add(v128.load(sums, SUMS_BYTES), v128.load(sums, SUMS_BYTES + 16));
  const s2 = f32x4.add(v128.load(sums, 2 * SUMS_BYTES), v128.load(sums, 2 * SUMS_BYTES + 16));
  const s3 = f32x4.add(v128.load(sums, 3 * SUMS_BYTES), v128.load(sums, 3 * SUMS_BYTES + 16));
  const low = f32x4.add(i32x4.shuffle(s0, s1, 0, 1, 4, 5), i32x4.shuffle(s0, s1, 2, 3, 6, 7));
  const high = f32x4.add(i32x4.shuffle(s2, s3, 0, 1, 4, 5), i32x4.shuffle(s2, s3, 2, 3, 6, 7));
  return f32x4.add(i32x4.shuffle(low, high, 0, 2, 4, 6), i32x4.shuffle(low, high, 1, 3, 5, 7));
}

/**
 * scores [count] become weights · 2¹⁰⁰ whose sum without that unit is 1. Eight at a time, in pairs as above.
 */
// @ts-ignore: decorator
@inline
function softmax(scores: usize, count: usize, sums: usize): void {
  const lowest = f32x4.splat(-Infinity);
  // The last step may reach up to seven positions past the end: they count as −∞.
  for (let j = count; j & 7; ++j) store<f32>(scores + (j << 2), -Infinity);
  const end = scores + (((count + 7) & ~7) << 2);
  let largestA = lowest;
  let largestB = lowest;
  for (let at = scores; at < end; at += 32) {
    largestA = f32x4.pmax(largestA, v128.load(at));
    largestB = f32x4.pmax(largestB, v128.load(at, 16));
  }
  const shift = f32x4.splat(horizontalMax(f32x4.max(largestA, largestB)));
  let sumsA = f32x4.splat(0);
  let sumsB = sumsA;
  for (let at = scores; at < end; at += 32) {
    const scoreA = v128.load(at);
    const scoreB = v128.load(at, 16);
    // exp4 never returns zero, so positions past the end are masked.
    const weightA = v128.and(exp4(f32x4.sub(scoreA, shift)), f32x4.ne(scoreA, lowest));
    const weightB = v128.and(exp4(f32x4.sub(scoreB, shift)), f32x4.ne(scoreB, lowest));
    v128.store(at, weightA);
    v128.store(at, weightB, 16);
    sumsA = f32x4.add(sumsA, weightA);
    sumsB = f32x4.add(sumsB, weightB);
  }
  v128.store(sums, sumsA);
  v128.store(sums, sumsB, 16);
  const sum = sumLanesF32(f32x4.add(v128.load(sums), v128.load(sums, 16)));
  const inverse = f32x4.splat(<f32>1 / sum);
  const unit = f32x4.splat(QUERY_UNIT);
  for (let at = scores; at < end; at += 32) {
    const weightA = v128.load(at);
    const weightB = v128.load(at, 16);
    v128.store(at, f32x4.mul(f32x4.mul(weightA, inverse), unit));
    v128.store(at, f32x4.mul(f32x4.mul(weightB, inverse), unit), 16);
  }
}

/**
 * out[h][0…15] += Σⱼ weights[h][j] · V[j][0…15]   for j ascending; out has evens of both eights, then odds of
 * both.
 *
 *   load sixteen sums per head; for each j: widen sixteen values, add their products for every head; store
 *
 * Four heads have sixteen vectors of sums. They fit in registers where the revectorizer makes eight of them:
 * 7 % off the whole of attention against two heads at a time. Where they do not fit, four heads take no more
 * time.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixSixteen<G>(weights: usize, weightStride: usize, values: usize, rowBytes: usize, count: usize, out: usize, outStride: usize): void {
  const mask = halfMask(), zero = f32x4.splat(0);
  const w2 = weightStride << 1, w3 = weightStride * 3;
  const out1 = out + outStride, out2 = out1 + outStride, out3 = out2 + outStride;
  let e0a = v128.load(out), e0b = v128.load(out, 16), o0a = v128.load(out, 32), o0b = v128.load(out, 48);
  let e1a = zero, e1b = zero, o1a = zero, o1b = zero;
  let e2a = zero, e2b = zero, o2a = zero, o2b = zero;
  let e3a = zero, e3b = zero, o3a = zero, o3b = zero;
  if (sizeof<G>() >= 2) {
    e1a = v128.load(out1); e1b = v128.load(out1, 16); o1a = v128.load(out1, 32); o1b = v128.load(out1, 48);
  }
  if (sizeof<G>() == 4) {
    e2a = v128.load(out2); e2b = v128.load(out2, 16); o2a = v128.load(out2, 32); o2b = v128.load(out2, 48);
    e3a = v128.load(out3); e3b = v128.load(out3, 16); o3a = v128.load(out3, 32); o3b = v128.load(out3, 48);
  }
  for (let last = weights + (count << 2); weights < last; weights += 4, values += rowBytes) {
    const va = v128.load(values), vb = v128.load(values, 16);
    const ea = halfEvens(va, mask), eb = halfEvens(vb, mask);
    const oa = halfOdds(va, mask), ob = halfOdds(vb, mask);
    const p0 = v128.load_splat<u32>(weights);
    e0a = f32x4.add(e0a, f32x4.mul(p0, ea)); e0b = f32x4.add(e0b, f32x4.mul(p0, eb));
    o0a = f32x4.add(o0a, f32x4.mul(p0, oa)); o0b = f32x4.add(o0b, f32x4.mul(p0, ob));
    if (sizeof<G>() >= 2) {
      const p1 = v128.load_splat<u32>(weights + weightStride);
      e1a = f32x4.add(e1a, f32x4.mul(p1, ea)); e1b = f32x4.add(e1b, f32x4.mul(p1, eb));
      o1a = f32x4.add(o1a, f32x4.mul(p1, oa)); o1b = f32x4.add(o1b, f32x4.mul(p1, ob));
    }
    if (sizeof<G>() == 4) {
      const p2 = v128.load_splat<u32>(weights + w2);
      e2a = f32x4.add(e2a, f32x4.mul(p2, ea)); e2b = f32x4.add(e2b, f32x4.mul(p2, eb));
      o2a = f32x4.add(o2a, f32x4.mul(p2, oa)); o2b = f32x4.add(o2b, f32x4.mul(p2, ob));
      const p3 = v128.load_splat<u32>(weights + w3);
      e3a = f32x4.add(e3a, f32x4.mul(p3, ea)); e3b = f32x4.add(e3b, f32x4.mul(p3, eb));
      o3a = f32x4.add(o3a, f32x4.mul(p3, oa)); o3b = f32x4.add(o3b, f32x4.mul(p3, ob));
    }
  }
  v128.store(out, e0a); v128.store(out, e0b, 16); v128.store(out, o0a, 32); v128.store(out, o0b, 48);
  if (sizeof<G>() >= 2) {
    v128.store(out1, e1a); v128.store(out1, e1b, 16); v128.store(out1, o1a, 32); v128.store(out1, o1b, 48);
  }
  if (sizeof<G>() == 4) {
    v128.store(out2, e2a); v128.store(out2, e2b, 16); v128.store(out2, o2a, 32); v128.store(out2, o2b, 48);
    v128.store(out3, e3a); v128.store(out3, e3b, 16); v128.store(out3, o3a, 32); v128.store(out3, o3b, 48);
  }
}

/** As mixSixteen for one head: the last eight columns where headSize is not a multiple of sixteen. */
// @ts-ignore: decorator
@inline
function mixEight(weights: usize, values: usize, rowBytes: usize, count: usize, out: usize): void {
  const mask = halfMask();
  let evens = v128.load(out);
  let odds = v128.load(out, 16);
  for (let last = weights + (count << 2); weights < last; weights += 4, values += rowBytes) {
    const v = v128.load(values);
    const w = v128.load_splat<u32>(weights);
    evens = f32x4.add(evens, f32x4.mul(w, halfEvens(v, mask)));
    odds = f32x4.add(odds, f32x4.mul(w, halfOdds(v, mask)));
  }
  v128.store(out, evens);
  v128.store(out, odds, 16);
}

/** Puts the columns of a head back in their order and multiplies by the missing 2¹². */
// @ts-ignore: decorator
@inline
function joinColumns(out: usize, headSize: usize): void {
  const unit = f32x4.splat(CACHED_UNIT);
  const end = out + (headSize << 2);
  for (; out + 64 <= end; out += 64) {
    const evensA = v128.load(out);
    const evensB = v128.load(out, 16);
    const oddsA = v128.load(out, 32);
    const oddsB = v128.load(out, 48);
    joinEight(evensA, oddsA, unit, out);
    joinEight(evensB, oddsB, unit, out + 32);
  }
  if (out < end) joinEight(v128.load(out), v128.load(out, 16), unit, out);
}

// @ts-ignore: decorator
@inline
function joinEight(evens: v128, odds: v128, unit: v128, to: usize): void {
  const low = f32x4.mul(evens, unit);
  const high = f32x4.mul(odds, unit);
  v128.store(to, i32x4.shuffle(low, high, 0, 4, 1, 5));
  v128.store(to, i32x4.shuffle(low, high, 2, 6, 3, 7), 16);
}
