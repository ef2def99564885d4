// Attention over keys and values that were rounded to int8 when they entered their cache
// (kernels/store-heads-int8). Products are of integers, so their sums are exact:
//
//   queries   a[h, g] = max |q[h, k]| of group g of 32 elements,  x[h, k] = round(q[h, k] · 127 / a[h, g])
//   scores    s[h, j] = Σ over g (Σ x[h, k] · K[j, k]) · (keyScale[j, g] · (a[h, g] / 127 · scale · log₂ e))
//   weights   p[h, j] = 2^(s[h, j] − max s[h]),  total[h] = Σⱼ p[h, j]
//   values    for blocks of 128 positions:  w[h, j] = p[h, j] · valueScale[j],  m[h] = max w[h, j]
//             c[h, j] = round(w[h, j] · 16383 / m[h])
//             out[h, k] += (Σⱼ c[h, j] · V[j, k]) · (m[h] / 16383)
//   output    out[h] / total[h]
//
// A code c is in two planes of seven bits. So each product has a signed byte and one below 128 (simd/dot).

import { Address } from "../address";
import { addDot, first, second } from "../simd/dot";
import { exp2OfFour } from "../simd/exp2";
import { horizontalMax, larger, sumLanesF32, sumLanesI32 } from "../simd/lanes";
import {
  GROUP,
  KEY_BLOCK,
  KEY_OFFSET,
  SCALE_FLOOR,
  VALUE_BLOCK,
  groupsOf,
  largestOf,
  roundEight,
} from "../tiles/int8-heads";
import { touch } from "../tiles/touch";

/** Scores are powers of two. */
// @ts-ignore: decorator
@inline
const LOG2_E: f32 = 1.44269504;

/** The largest code of a query. */
// @ts-ignore: decorator
@inline
const QUERY_MAX: f32 = 127;

/** The largest code of a weight. Sums over 128 positions fit 29 bits. */
// @ts-ignore: decorator
@inline
const WEIGHT_MAX: f32 = 16383;

/** 2²³: a sum with it has a whole number below 2²³ in its low bits, rounded to the nearest, ties to even. */
// @ts-ignore: decorator
@inline
const ROUNDER: f32 = 8388608;

/**
 * Scratch: codes of four heads' weights, two planes of VALUE_BLOCK bytes each. Then units, totals and largest
 * scores of the heads, 16 bytes each, and room for sums. Then queries, their records, and scores.
 */
// @ts-ignore: decorator
@inline
const UNITS_AT: usize = 4 * 2 * VALUE_BLOCK;
// @ts-ignore: decorator
@inline
const TOTALS_AT: usize = UNITS_AT + 16;
// @ts-ignore: decorator
@inline
const LARGEST_AT: usize = UNITS_AT + 32;
// @ts-ignore: decorator
@inline
const SUMS_AT: usize = UNITS_AT + 48;
// @ts-ignore: decorator
@inline
const QUERIES_AT: usize = SUMS_AT + 64;

/** Bytes of a block of values that are touched before. A block has at least 1 KiB. */
// @ts-ignore: decorator
@inline
const TOUCHED: usize = 256;

/** The score of a position that is not seen. */
const LOWEST = memory.data<f32>([-Infinity]);

/**
 * p[h] = softmaxⱼ(scale · q[t, h] · K[j]),  out[t, h] = Σⱼ p[h, j] · V[j]
 *                                                             for the last `window` j of [0, position + t]
 *
 * Causal attention of query heads that share a key and value head, over a cache of int8. Queries and weights
 * are rounded, too: the arithmetic is at the top of the file.
 *
 * Shapes    q [tokens, heads, headSize], tokens every queryStride bytes · keys, values: caches of one head of
 *           store_keys_int8 and store_values_int8 · out as q, tokens every outStride bytes · scratch of the
 *           caller's own: 1280 bytes and 4 · (headSize + scratchPositions) f32
 * Types     q, out f32 · keys, values int8-blocks
 * Requires  headSize % 8 == 0 · window > 0 · 16-byte aligned scratch · cachePositions % 128 == 0
 *           · scratchPositions % 128 == 0, ≥ position + tokens · out overlaps nothing
 * Range     q finite
 * Exact     bit-identical in every form and build. An output depends on its token, its head and the positions
 *           it sees. Blocks begin at multiples of 128 positions, so prefill at once and token by token give
 *           the same bytes
 * Splits    by tokens and heads
 */
export function attention_int8_dot_i8(
  q: Address,
  queryStride: usize,
  keys: Address,
  values: Address,
  cachePositions: usize,
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
  // prettier-ignore
  attendTokens<i8>(
    q, queryStride, keys, values, cachePositions, headSize, heads, position, tokens, window, scale, scratch, scratchPositions,
    out, outStride,
  );
}

/** All tokens: heads four at a time, then two, then one. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function attendTokens<F>(q: usize, queryStride: usize, keys: usize, values: usize, cachePositions: usize, headSize: usize, heads: usize, position: usize, tokens: usize, window: usize, scale: f32, scratch: usize, scratchPositions: usize, out: usize, outStride: usize): void {
  const headBytes = headSize << 2;
  for (let t: usize = 0; t < tokens; ++t) {
    const end = position + t + 1, begin = end - min(window, end);
    let h: usize = 0;
    for (; h + 4 <= heads; h += 4) {
      const at = h * headBytes;
      attend<F, u32>(q + at, keys, values, cachePositions, headSize, begin, end, scale, scratch, scratchPositions, out + at);
    }
    for (; h + 2 <= heads; h += 2) {
      const at = h * headBytes;
      attend<F, u16>(q + at, keys, values, cachePositions, headSize, begin, end, scale, scratch, scratchPositions, out + at);
    }
    for (; h < heads; ++h) {
      const at = h * headBytes;
      attend<F, u8>(q + at, keys, values, cachePositions, headSize, begin, end, scale, scratch, scratchPositions, out + at);
    }
    q += queryStride;
    out += outStride;
  }
}

/** One token and sizeof<G>() heads: 4, 2 or 1. It sees positions begin … end − 1. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function attend<F, G>(q: usize, keys: usize, values: usize, cachePositions: usize, headSize: usize, begin: usize, end: usize, scale: f32, scratch: usize, scratchPositions: usize, out: usize): void {
  const headBytes = headSize << 2, stride = scratchPositions << 2;
  const queries = scratch + QUERIES_AT;
  const records = queries + sizeof<G>() * headSize;
  const scores = (records + sizeof<G>() * (groupsOf(headSize) << 3) + 15) & ~15;
  // Scores begin with the first block that has a seen position.
  const from = begin & ~(VALUE_BLOCK - 1);
  roundQueries(q, headSize, sizeof<G>(), scale * LOG2_E, queries, records);
  scoreBlocks<F, G>(queries, records, keys, cachePositions, headSize, begin, end, scores, stride);
  for (let h: usize = 0; h < sizeof<G>(); ++h) {
    const row = scores + h * stride;
    for (let j: usize = 0; j < begin - from; ++j) store<f32>(row + (j << 2), -Infinity);
    let j = end - from;
    for (; j & (KEY_BLOCK - 1); ++j) store<f32>(row + (j << 2), -Infinity);
    store<f32>(scratch + TOTALS_AT + (h << 2), 0);
    store<f32>(scratch + LARGEST_AT + (h << 2), largestScore(row, j, scratch + SUMS_AT));
  }
  memory.fill(out, 0, sizeof<G>() * headBytes);
  for (let j = from; j < end; j += VALUE_BLOCK) {
    const count = min((end - j + KEY_BLOCK - 1) & ~(KEY_BLOCK - 1), VALUE_BLOCK);
    const valueScales = values + cachePositions * headSize + (j << 2);
    // Prefetchers begin with the block while its weights are computed: 4 % off the whole of attention.
    touch(values + j * headSize, TOUCHED, scratch + SUMS_AT);
    for (let h: usize = 0; h < sizeof<G>(); ++h) {
      const row = scores + h * stride + ((j - from) << 2);
      const largest = weigh(row, count, valueScales, scratch + LARGEST_AT + (h << 2), scratch + TOTALS_AT + (h << 2), scratch + SUMS_AT);
      roundWeights(row, count, largest, scratch + h * (2 * VALUE_BLOCK));
      store<f32>(scratch + UNITS_AT + (h << 2), largest / WEIGHT_MAX);
    }
    mixValues<F, G>(scratch, values + j * headSize, headSize, count, scratch + UNITS_AT, out);
  }
  for (let h: usize = 0; h < sizeof<G>(); ++h) {
    const inverse = f32x4.splat(<f32>1 / load<f32>(scratch + TOTALS_AT + (h << 2)));
    for (const stop = out + headBytes; out < stop; out += 32) {
      const a = v128.load(out), b = v128.load(out, 16);
      v128.store(out, f32x4.mul(a, inverse));
      v128.store(out, f32x4.mul(b, inverse), 16);
    }
  }
}

/**
 * Codes of queries [heads, headSize]. For each group and head a record: −64 · Σ codes as i32, which is what
 * the offset of keys adds too much, and the unit of a score as f32.
 */
// @ts-ignore: decorator
@inline
function roundQueries(
  q: usize,
  headSize: usize,
  heads: usize,
  scale: f32,
  codes: usize,
  records: usize,
): void {
  for (let h: usize = 0; h < heads; ++h) {
    let record = records + (h << 3);
    for (let k: usize = 0; k < headSize; k += GROUP) {
      const size = min(GROUP, headSize - k);
      const largest = largestOf(q, size);
      const factor = f32x4.splat(QUERY_MAX / max(largest, SCALE_FLOOR));
      let sum = i32x4.splat(0);
      for (let i: usize = 0; i < size; i += 8, q += 32, codes += 8) {
        const eight = roundEight(q, factor);
        sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(eight));
        v128.store64_lane(codes, i8x16.narrow_i16x8_s(eight, eight), 0);
      }
      store<i32>(record, -KEY_OFFSET * sumLanesI32(sum));
      store<f32>(record, (largest / QUERY_MAX) * scale, 4);
      record += heads << 3;
    }
  }
}

/** scores[h][j] of all blocks of sixteen positions that have one of begin … end − 1. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function scoreBlocks<F, G>(queries: usize, records: usize, keys: usize, cachePositions: usize, headSize: usize, begin: usize, end: usize, scores: usize, stride: usize): void {
  const scaleBytes = groupsOf(headSize) * (KEY_BLOCK << 2);
  const first = begin / KEY_BLOCK;
  let block = keys + first * (KEY_BLOCK * headSize);
  let keyScales = keys + cachePositions * headSize + first * scaleBytes;
  scores += (first * KEY_BLOCK - (begin & ~(VALUE_BLOCK - 1))) << 2;
  for (let j = first * KEY_BLOCK; j < end; j += KEY_BLOCK, scores += KEY_BLOCK << 2) {
    scoreSixteen<F, G>(queries, records, headSize, block, keyScales, scores, stride);
    block += KEY_BLOCK * headSize;
    keyScales += scaleBytes;
  }
}

/**
 * scores[h][j] of sixteen positions. Four elements of a query meet the same four of every key, so that no sum
 * goes across lanes.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function scoreSixteen<F, G>(q: usize, records: usize, headSize: usize, key: usize, keyScales: usize, scores: usize, stride: usize): void {
  const q1 = headSize, q2 = headSize << 1, q3 = headSize * 3, zero = i32x4.splat(0);
  for (let k: usize = 0; k < headSize; k += GROUP) {
    let s0a = v128.load32_splat(records), s0b = s0a, s0c = s0a, s0d = s0a;
    let s1a = zero, s1b = zero, s1c = zero, s1d = zero;
    let s2a = zero, s2b = zero, s2c = zero, s2d = zero, s3a = zero, s3b = zero, s3c = zero, s3d = zero;
    if (sizeof<G>() >= 2) {
      s1a = v128.load32_splat(records, 8); s1b = s1a; s1c = s1a; s1d = s1a;
    }
    if (sizeof<G>() == 4) {
      s2a = v128.load32_splat(records, 16); s2b = s2a; s2c = s2a; s2d = s2a;
      s3a = v128.load32_splat(records, 24); s3b = s3a; s3c = s3a; s3d = s3a;
    }
    for (const stop = q + min(GROUP, headSize - k); q < stop; q += 4, key += 64) {
      const va = v128.load(key), vb = v128.load(key, 16), vc = v128.load(key, 32), vd = v128.load(key, 48);
      const ka = first<F>(va), kb = first<F>(vb), kc = first<F>(vc), kd = first<F>(vd);
      const la = second<F>(va), lb = second<F>(vb), lc = second<F>(vc), ld = second<F>(vd);
      const v0 = v128.load32_splat(q), x0 = first<F>(v0), y0 = second<F>(v0);
      s0a = addDot<F>(s0a, x0, y0, ka, la); s0b = addDot<F>(s0b, x0, y0, kb, lb);
      s0c = addDot<F>(s0c, x0, y0, kc, lc); s0d = addDot<F>(s0d, x0, y0, kd, ld);
      if (sizeof<G>() >= 2) {
        const v1 = v128.load32_splat(q + q1), x1 = first<F>(v1), y1 = second<F>(v1);
        s1a = addDot<F>(s1a, x1, y1, ka, la); s1b = addDot<F>(s1b, x1, y1, kb, lb);
        s1c = addDot<F>(s1c, x1, y1, kc, lc); s1d = addDot<F>(s1d, x1, y1, kd, ld);
      }
      if (sizeof<G>() == 4) {
        const v2 = v128.load32_splat(q + q2), x2 = first<F>(v2), y2 = second<F>(v2);
        s2a = addDot<F>(s2a, x2, y2, ka, la); s2b = addDot<F>(s2b, x2, y2, kb, lb);
        s2c = addDot<F>(s2c, x2, y2, kc, lc); s2d = addDot<F>(s2d, x2, y2, kd, ld);
        const v3 = v128.load32_splat(q + q3), x3 = first<F>(v3), y3 = second<F>(v3);
        s3a = addDot<F>(s3a, x3, y3, ka, la); s3b = addDot<F>(s3b, x3, y3, kb, lb);
        s3c = addDot<F>(s3c, x3, y3, kc, lc); s3d = addDot<F>(s3d, x3, y3, kd, ld);
      }
    }
    const isFirst = k == 0;
    addScores(scores, s0a, s0b, s0c, s0d, keyScales, records + 4, isFirst);
    if (sizeof<G>() >= 2) addScores(scores + stride, s1a, s1b, s1c, s1d, keyScales, records + 12, isFirst);
    if (sizeof<G>() == 4) {
      addScores(scores + (stride << 1), s2a, s2b, s2c, s2d, keyScales, records + 20, isFirst);
      addScores(scores + stride * 3, s3a, s3b, s3c, s3d, keyScales, records + 28, isFirst);
    }
    records += sizeof<G>() << 3;
    keyScales += KEY_BLOCK << 2;
  }
}

/** scores[j] (+)= sums[j] · (keyScales[j] · unit) for sixteen positions. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function addScores(scores: usize, a: v128, b: v128, c: v128, d: v128, keyScales: usize, unit: usize, isFirst: bool): void {
  const u = v128.load32_splat(unit);
  let ta = f32x4.mul(f32x4.convert_i32x4_s(a), f32x4.mul(v128.load(keyScales), u));
  let tb = f32x4.mul(f32x4.convert_i32x4_s(b), f32x4.mul(v128.load(keyScales, 16), u));
  let tc = f32x4.mul(f32x4.convert_i32x4_s(c), f32x4.mul(v128.load(keyScales, 32), u));
  let td = f32x4.mul(f32x4.convert_i32x4_s(d), f32x4.mul(v128.load(keyScales, 48), u));
  if (!isFirst) {
    ta = f32x4.add(v128.load(scores), ta); tb = f32x4.add(v128.load(scores, 16), tb);
    tc = f32x4.add(v128.load(scores, 32), tc); td = f32x4.add(v128.load(scores, 48), td);
  }
  v128.store(scores, ta); v128.store(scores, tb, 16); v128.store(scores, tc, 32); v128.store(scores, td, 48);
}

/**
 * The largest of count scores, a multiple of sixteen, in pairs for the revectorizer. NaN does not count here:
 * its weight is NaN anyway.
 */
// @ts-ignore: decorator
@inline
function largestScore(scores: usize, count: usize, sums: usize): f32 {
  let largestA = v128.load32_splat(LOWEST);
  let largestB = largestA;
  for (const end = scores + (count << 2); scores < end; scores += 32) {
    largestA = f32x4.pmax(largestA, v128.load(scores));
    largestB = f32x4.pmax(largestB, v128.load(scores, 16));
  }
  v128.store(sums, largestA);
  v128.store(sums, largestB, 16);
  return horizontalMax(f32x4.max(v128.load(sums), v128.load(sums, 16)));
}

/**
 * scores [count] become weights · scales, and `total` grows by the sum of the weights. Returns the largest
 * product. Positions that are not seen have a score of −∞ and a scale that may be anything. They add 2⁻¹²⁵ to
 * the sum: too little to change it, because the largest weight is almost 1.
 */
// prettier-ignore
// @ts-ignore: decorator
@inline
function weigh(scores: usize, count: usize, scales: usize, largest: usize, total: usize, sums: usize): f32 {
  const shift = v128.load32_splat(largest), zero = f32x4.splat(0);
  let sumA = zero, sumB = zero, largestA = zero, largestB = zero;
  for (const end = scores + (count << 2); scores < end; scores += 32, scales += 32) {
    const a = v128.load(scores), b = v128.load(scores, 16);
    const scaleA = v128.load(scales), scaleB = v128.load(scales, 16);
    const lowest = v128.load32_splat(LOWEST);
    const seenA = f32x4.ne(a, lowest), seenB = f32x4.ne(b, lowest);
    const ea = exp2OfFour(f32x4.sub(a, shift)), eb = exp2OfFour(f32x4.sub(b, shift));
    // A mask without the sign: a NaN, which may have one, is then the largest number.
    const maskA = i32x4.shr_u(seenA, 1), maskB = i32x4.shr_u(seenB, 1);
    const wa = v128.and(f32x4.mul(ea, scaleA), maskA), wb = v128.and(f32x4.mul(eb, scaleB), maskB);
    sumA = f32x4.add(sumA, ea); sumB = f32x4.add(sumB, eb);
    largestA = larger(largestA, wa); largestB = larger(largestB, wb);
    v128.store(scores, wa); v128.store(scores, wb, 16);
  }
  v128.store(sums, sumA); v128.store(sums, sumB, 16);
  v128.store(sums, largestA, 32); v128.store(sums, largestB, 48);
  store<f32>(total, load<f32>(total) + sumLanesF32(f32x4.add(v128.load(sums), v128.load(sums, 16))));
  return horizontalMax(larger(v128.load(sums, 32), v128.load(sums, 48)));
}

/** Codes of weights, a multiple of sixteen: a plane of their high seven bits, then one of the low seven. */
// @ts-ignore: decorator
@inline
function roundWeights(weights: usize, count: usize, largest: f32, codes: usize): void {
  const factor = f32x4.splat(WEIGHT_MAX / max(largest, SCALE_FLOOR));
  const rounder = f32x4.splat(ROUNDER);
  const low7 = i16x8.splat(127);
  for (const end = codes + count; codes < end; codes += 16, weights += 64) {
    const a = codesOfEight(weights, factor, rounder);
    const b = codesOfEight(weights + 32, factor, rounder);
    const low = i8x16.narrow_i16x8_s(v128.and(a, low7), v128.and(b, low7));
    v128.store(codes, i8x16.narrow_i16x8_s(i16x8.shr_u(a, 7), i16x8.shr_u(b, 7)));
    v128.store(codes, low, VALUE_BLOCK);
  }
}

/** Eight numbers times a factor, rounded to i16. Their products are 0 … 16383. */
// @ts-ignore: decorator
@inline
function codesOfEight(x: usize, factor: v128, rounder: v128): v128 {
  const low = f32x4.add(f32x4.mul(v128.load(x), factor), rounder);
  const high = f32x4.add(f32x4.mul(v128.load(x, 16), factor), rounder);
  return i16x8.narrow_i32x4_s(i32x4.sub(low, rounder), i32x4.sub(high, rounder));
}

/** out[h] += (Σⱼ c[h, j] · V[j]) · units[h] over a block of positions. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixValues<F, G>(codes: usize, values: usize, headSize: usize, count: usize, units: usize, out: usize): void {
  const headBytes = headSize << 2;
  let k: usize = 0;
  for (; k + 16 <= headSize; k += 16, values += 16 * VALUE_BLOCK, out += 64) {
    if (sizeof<G>() == 1) mixSixteen<F, u8>(codes, values, count, units, out, headBytes);
    else mixSixteen<F, u16>(codes, values, count, units, out, headBytes);
    if (sizeof<G>() == 4) {
      mixSixteen<F, u16>(codes + 4 * VALUE_BLOCK, values, count, units + 8, out + (headBytes << 1), headBytes);
    }
  }
  if (k == headSize) return;
  for (let h: usize = 0; h < sizeof<G>(); ++h) {
    mixEight<F>(codes + h * (2 * VALUE_BLOCK), values, count, units + (h << 2), out + h * headBytes);
  }
}

/** Sixteen columns for one head or two. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixSixteen<F, H>(codes: usize, values: usize, count: usize, units: usize, out: usize, outStride: usize): void {
  const zero = i32x4.splat(0);
  let h0a = zero, h0b = zero, h0c = zero, h0d = zero, l0a = zero, l0b = zero, l0c = zero, l0d = zero;
  let h1a = zero, h1b = zero, h1c = zero, h1d = zero, l1a = zero, l1b = zero, l1c = zero, l1d = zero;
  for (const stop = codes + count; codes < stop; codes += 4, values += 64) {
    const va = v128.load(values), vb = v128.load(values, 16), vc = v128.load(values, 32), vd = v128.load(values, 48);
    const xa = first<F>(va), xb = first<F>(vb), xc = first<F>(vc), xd = first<F>(vd);
    const ya = second<F>(va), yb = second<F>(vb), yc = second<F>(vc), yd = second<F>(vd);
    const h0 = v128.load32_splat(codes), ha = first<F>(h0), hb = second<F>(h0);
    h0a = addDot<F>(h0a, xa, ya, ha, hb); h0b = addDot<F>(h0b, xb, yb, ha, hb);
    h0c = addDot<F>(h0c, xc, yc, ha, hb); h0d = addDot<F>(h0d, xd, yd, ha, hb);
    const l0 = v128.load32_splat(codes, VALUE_BLOCK), la = first<F>(l0), lb = second<F>(l0);
    l0a = addDot<F>(l0a, xa, ya, la, lb); l0b = addDot<F>(l0b, xb, yb, la, lb);
    l0c = addDot<F>(l0c, xc, yc, la, lb); l0d = addDot<F>(l0d, xd, yd, la, lb);
    if (sizeof<H>() == 2) {
      const h1 = v128.load32_splat(codes, 2 * VALUE_BLOCK), hc = first<F>(h1), hd = second<F>(h1);
      h1a = addDot<F>(h1a, xa, ya, hc, hd); h1b = addDot<F>(h1b, xb, yb, hc, hd);
      h1c = addDot<F>(h1c, xc, yc, hc, hd); h1d = addDot<F>(h1d, xd, yd, hc, hd);
      const l1 = v128.load32_splat(codes, 3 * VALUE_BLOCK), lc = first<F>(l1), ld = second<F>(l1);
      l1a = addDot<F>(l1a, xa, ya, lc, ld); l1b = addDot<F>(l1b, xb, yb, lc, ld);
      l1c = addDot<F>(l1c, xc, yc, lc, ld); l1d = addDot<F>(l1d, xd, yd, lc, ld);
    }
  }
  addPlanes(out, h0a, h0b, l0a, l0b, units);
  addPlanes(out + 32, h0c, h0d, l0c, l0d, units);
  if (sizeof<H>() == 2) {
    addPlanes(out + outStride, h1a, h1b, l1a, l1b, units + 4);
    addPlanes(out + outStride + 32, h1c, h1d, l1c, l1d, units + 4);
  }
}

/** The last eight columns of one head, where headSize is not a multiple of sixteen. */
// prettier-ignore
// @ts-ignore: decorator
@inline
function mixEight<F>(codes: usize, values: usize, count: usize, unit: usize, out: usize): void {
  const zero = i32x4.splat(0);
  let ha = zero, hb = zero, la = zero, lb = zero;
  for (const stop = codes + count; codes < stop; codes += 4, values += 32) {
    const va = v128.load(values), vb = v128.load(values, 16);
    const xa = first<F>(va), xb = first<F>(vb), ya = second<F>(va), yb = second<F>(vb);
    const h = v128.load32_splat(codes), l = v128.load32_splat(codes, VALUE_BLOCK);
    ha = addDot<F>(ha, xa, ya, first<F>(h), second<F>(h)); hb = addDot<F>(hb, xb, yb, first<F>(h), second<F>(h));
    la = addDot<F>(la, xa, ya, first<F>(l), second<F>(l)); lb = addDot<F>(lb, xb, yb, first<F>(l), second<F>(l));
  }
  addPlanes(out, ha, hb, la, lb, unit);
}

/** out[0…7] += (high · 128 + low) · unit. */
// @ts-ignore: decorator
@inline
function addPlanes(out: usize, highA: v128, highB: v128, lowA: v128, lowB: v128, unit: usize): void {
  const u = v128.load32_splat(unit);
  const a = v128.load(out);
  const b = v128.load(out, 16);
  const sumA = i32x4.add(i32x4.shl(highA, 7), lowA);
  const sumB = i32x4.add(i32x4.shl(highB, 7), lowB);
  v128.store(out, f32x4.add(a, f32x4.mul(f32x4.convert_i32x4_s(sumA), u)));
  v128.store(out, f32x4.add(b, f32x4.mul(f32x4.convert_i32x4_s(sumB), u)), 16);
}

// From here on made by scripts/tiles.mjs.

/**
 * Contract as attention_int8_dot_i8, but in form i32 of the dot product (simd/dot). Traps in the simd128
 * build.
 */
export function attention_int8_dot_i32(
  q: Address,
  queryStride: usize,
  keys: Address,
  values: Address,
  cachePositions: usize,
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
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  // prettier-ignore
  attendTokens<i32>(
    q, queryStride, keys, values, cachePositions, headSize, heads, position, tokens, window, scale, scratch, scratchPositions,
    out, outStride,
  );
}
