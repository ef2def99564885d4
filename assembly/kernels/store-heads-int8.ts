// Keys and values enter their cache of int8 (layout int8-blocks). A position's elements lie apart, so that
// attention reads neighbouring bytes of neighbouring positions.
//
//   keys      blocks of 16 positions: codes [headSize / 4, 16, 4] with an offset of 64
//             after all codes, for each block: scales [groups, 16], for groups of 32 elements
//   values    blocks of 128 positions: strips of 16 columns, codes [32, 16, 4]: positions in fours, columns,
//             positions of four. The last strip has 8 columns where headSize % 16 == 8
//             after all codes: scales [cachePositions]

import { Address } from "../address";
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

/** Seven bits with the offset: products of a byte and a code then need no more (simd/dot). */
// @ts-ignore: decorator
@inline
const KEY_MAX: f32 = 63;

// @ts-ignore: decorator
@inline
const VALUE_MAX: f32 = 127;

/**
 * m = maxₖ |x[t, h, k]| of a group of 32 elements;  s = m / 63
 * K[k] = roundHalfEven(x[t, h, k] · (63 / max(m, 1e-30))) + 64
 *
 * Shapes    x [tokens, heads, headSize], tokens every inputStride bytes · the cache of head h at y + h ·
 *           headStride, of `cachePositions` positions: tokens are written from `position` on
 * Types     x f32 · K u8 and s f32, int8-blocks
 * Requires  headSize % 8 == 0 · cachePositions % 128 == 0 · position + tokens ≤ cachePositions · y overlaps
 *           nothing
 * Range     x finite; 1 ≤ K ≤ 127
 * Exact     bit-identical in every build: a maximum has no order, the rest is one rounding each
 * Splits    by tokens and heads
 */
export function store_keys_int8(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  y: Address,
  headStride: usize,
  cachePositions: usize,
  position: usize,
): void {
  const groups = groupsOf(headSize);
  const offset = i16x8.splat(<i16>KEY_OFFSET);
  for (let t: usize = 0; t < tokens; ++t) {
    const block = (position + t) / KEY_BLOCK;
    const lane = (position + t) % KEY_BLOCK;
    for (let h = headBegin; h < headEnd; ++h) {
      let from = x + t * inputStride + h * (headSize << 2);
      const head = y + h * headStride;
      let to = head + block * KEY_BLOCK * headSize + (lane << 2);
      let scale = head + cachePositions * headSize + ((block * groups * KEY_BLOCK + lane) << 2);
      for (let k: usize = 0; k < headSize; k += GROUP, scale += KEY_BLOCK << 2) {
        const size = min(GROUP, headSize - k);
        const largest = largestOf(from, size);
        const factor = f32x4.splat(KEY_MAX / max(largest, SCALE_FLOOR));
        store<f32>(scale, largest / KEY_MAX);
        for (const end = from + (size << 2); from < end; from += 32, to += 128) {
          const codes = i16x8.add(roundEight(from, factor), offset);
          const bytes = i8x16.narrow_i16x8_u(codes, codes);
          v128.store32_lane(to, bytes, 0);
          v128.store32_lane(to, bytes, 1, 64);
        }
      }
    }
  }
}

/**
 * m = maxₖ |x[t, h, k]|;  s = m / 127;  V[k] = roundHalfEven(x[t, h, k] · (127 / max(m, 1e-30)))
 *
 * Shapes    as store_keys_int8
 * Types     x f32 · V i8 and s f32, int8-blocks
 * Requires  as store_keys_int8
 * Range     x finite; |V| ≤ 127
 * Exact     as store_keys_int8
 * Splits    by tokens and heads
 */
export function store_values_int8(
  x: Address,
  tokens: usize,
  inputStride: usize,
  headBegin: usize,
  headEnd: usize,
  headSize: usize,
  y: Address,
  headStride: usize,
  cachePositions: usize,
  position: usize,
): void {
  for (let t: usize = 0; t < tokens; ++t) {
    const at = position + t;
    const four = (at % VALUE_BLOCK) & ~3;
    for (let h = headBegin; h < headEnd; ++h) {
      const from = x + t * inputStride + h * (headSize << 2);
      const head = y + h * headStride;
      const largest = largestOf(from, headSize);
      const factor = f32x4.splat(VALUE_MAX / max(largest, SCALE_FLOOR));
      store<f32>(head + cachePositions * headSize + (at << 2), largest / VALUE_MAX);
      const block = head + (at - (at % VALUE_BLOCK)) * headSize + (at & 3);
      for (let k: usize = 0; k < headSize; k += 8) {
        // A strip has sixteen columns, the last one may have eight.
        const strip = k & ~15;
        const cols = min<usize>(16, headSize - strip);
        const to = block + strip * VALUE_BLOCK + four * cols + ((k & 15) << 2);
        const codes = roundEight(from + (k << 2), factor);
        v128.store8_lane(to, codes, 0);
        v128.store8_lane(to, codes, 2, 4);
        v128.store8_lane(to, codes, 4, 8);
        v128.store8_lane(to, codes, 6, 12);
        v128.store8_lane(to, codes, 8, 16);
        v128.store8_lane(to, codes, 10, 20);
        v128.store8_lane(to, codes, 12, 24);
        v128.store8_lane(to, codes, 14, 28);
      }
    }
  }
}
