// From approximate logits and the bounds of their rows to the few rows that can hold the largest (src/model/screening).

/**
 * e = (lost · fromLost + size · fromSize) · 1.0001 + |a| · 2⁻²⁰;  lower = a − e, upper = a + e
 *
 * Shapes    a [count] · bounds [count] {lost, size} · lower, upper [count]
 * Types     f32; the two factors cover the roundings of this kernel itself
 * Returns   the largest lower bound, −Infinity for none
 * Exact     bit-identical in every build
 * Splits    by rows
 */
export function screen_bounds(
  approximate: usize,
  bounds: usize,
  count: usize,
  fromLost: f32,
  fromSize: f32,
  lower: usize,
  upper: usize,
): f32 {
  const lostFactor = f32x4.splat(fromLost * <f32>1.0001);
  const sizeFactor = f32x4.splat(fromSize * <f32>1.0001);
  const rounding = f32x4.splat(9.5367431640625e-7);
  let largest4 = f32x4.splat(-Infinity);
  const whole = count & ~3;
  for (let i: usize = 0; i < whole; i += 4) {
    const at = i << 2;
    const a = v128.load(approximate + at);
    const low = v128.load(bounds + (at << 1));
    const high = v128.load(bounds + (at << 1), 16);
    const lost = f32x4.mul(i32x4.shuffle(low, high, 0, 2, 4, 6), lostFactor);
    const size = f32x4.mul(i32x4.shuffle(low, high, 1, 3, 5, 7), sizeFactor);
    const e = f32x4.add(f32x4.add(lost, size), f32x4.mul(f32x4.abs(a), rounding));
    const least = f32x4.sub(a, e);
    v128.store(lower + at, least);
    v128.store(upper + at, f32x4.add(a, e));
    largest4 = f32x4.pmax(largest4, least);
  }
  let largest: f32 = max(
    max(f32x4.extract_lane(largest4, 0), f32x4.extract_lane(largest4, 1)),
    max(f32x4.extract_lane(largest4, 2), f32x4.extract_lane(largest4, 3)),
  );
  for (let i = whole; i < count; ++i) {
    const at = i << 2;
    const a = load<f32>(approximate + at);
    const lost = load<f32>(bounds + (at << 1)) * (fromLost * <f32>1.0001);
    const size = load<f32>(bounds + (at << 1), 4) * (fromSize * <f32>1.0001);
    const e = lost + size + abs<f32>(a) * <f32>9.5367431640625e-7;
    store<f32>(lower + at, a - e);
    store<f32>(upper + at, a + e);
    if (a - e > largest) largest = a - e;
  }
  return largest;
}

/**
 * The rows whose upper bound is not below the floor; NaN is not below anything.
 *
 * Shapes    upper [count] f32 · rows [count] i32, of which as many are written as there are
 * Returns   how many there are
 * Exact     bit-exact
 */
export function screen_collect(upper: usize, count: usize, floor: f32, rows: usize): i32 {
  const floor4 = f32x4.splat(floor);
  let found: usize = 0;
  let i: usize = 0;
  const whole = count & ~3;
  while (i < whole) {
    if (!v128.any_true(v128.not(f32x4.lt(v128.load(upper + (i << 2)), floor4)))) {
      i += 4;
      continue;
    }
    for (const end = i + 4; i < end; ++i) {
      if (!(load<f32>(upper + (i << 2)) < floor)) {
        store<i32>(rows + (found << 2), <i32>i);
        ++found;
      }
    }
  }
  for (; i < count; ++i) {
    if (!(load<f32>(upper + (i << 2)) < floor)) {
      store<i32>(rows + (found << 2), <i32>i);
      ++found;
    }
  }
  return <i32>found;
}
