// From approximate logits and the error bounds of their rows to the blocks of rows that can hold the largest
// logit (src/engine/screening).

import { Address } from "../address";

/** Rows of a block. */
// @ts-ignore: decorator
@inline
const BLOCK: usize = 64;

/**
 * a[r] += e[r],  e = (lost · fromLost + size · fromSize) · 1.0001 + |a| · 2⁻²⁰   for r in [rowBegin, rowEnd)
 * blocks[b] = {max (a − e), max (a + e)} over its rows 64b … 64b + 63, with a as it was before
 *
 * a + e is the largest value that the true logit can have.
 *
 * Shapes    a [rows] · bounds [rows] {lost, size} · blocks [⌈rowEnd / 64⌉] {lower, upper}
 * Types     f32; the two factors cover the roundings of this kernel itself
 * Requires  rowBegin % 64 == 0 · a, bounds and blocks do not overlap
 * Range     bounds and factors ≥ 0. A NaN leaves its block's lower bound alone and makes the upper one NaN
 * Exact     bit-identical in every build
 * Splits    by blocks
 */
export function screen_rows(
  logits: Address,
  bounds: Address,
  rowBegin: usize,
  rowEnd: usize,
  fromLost: f32,
  fromSize: f32,
  blocks: Address,
): void {
  const lostFactor = fromLost * <f32>1.0001;
  const sizeFactor = fromSize * <f32>1.0001;
  const lost4 = f32x4.splat(lostFactor);
  const size4 = f32x4.splat(sizeFactor);
  const rounding = f32x4.splat(9.5367431640625e-7);
  for (let begin = rowBegin; begin < rowEnd; begin += BLOCK) {
    const end = min(begin + BLOCK, rowEnd);
    const whole = begin + ((end - begin) & ~3);
    let lower4 = f32x4.splat(-Infinity);
    let upper4 = lower4;
    for (let i = begin; i < whole; i += 4) {
      const at = i << 2;
      const a = v128.load(logits + at);
      const low = v128.load(bounds + (at << 1));
      const high = v128.load(bounds + (at << 1), 16);
      const lost = f32x4.mul(i32x4.shuffle(low, high, 0, 2, 4, 6), lost4);
      const size = f32x4.mul(i32x4.shuffle(low, high, 1, 3, 5, 7), size4);
      const e = f32x4.add(f32x4.add(lost, size), f32x4.mul(f32x4.abs(a), rounding));
      const most = f32x4.add(a, e);
      v128.store(logits + at, most);
      lower4 = f32x4.pmax(lower4, f32x4.sub(a, e));
      upper4 = f32x4.max(upper4, most);
    }
    let lower = max(
      max(f32x4.extract_lane(lower4, 0), f32x4.extract_lane(lower4, 1)),
      max(f32x4.extract_lane(lower4, 2), f32x4.extract_lane(lower4, 3)),
    );
    let upper = max(
      max(f32x4.extract_lane(upper4, 0), f32x4.extract_lane(upper4, 1)),
      max(f32x4.extract_lane(upper4, 2), f32x4.extract_lane(upper4, 3)),
    );
    for (let i = whole; i < end; ++i) {
      const at = i << 2;
      const a = load<f32>(logits + at);
      const lost = load<f32>(bounds + (at << 1)) * lostFactor;
      const size = load<f32>(bounds + (at << 1), 4) * sizeFactor;
      const e = lost + size + abs<f32>(a) * <f32>9.5367431640625e-7;
      store<f32>(logits + at, a + e);
      if (a - e > lower) lower = a - e;
      upper = max(upper, a + e);
    }
    const block = blocks + ((begin / BLOCK) << 3);
    store<f32>(block, lower);
    store<f32>(block, upper, 4);
  }
}
