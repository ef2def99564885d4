// Sums and maxima across the lanes of a vector, each in one fixed order.

/** The largest of four f32 lanes; NaN if any is. */
// @ts-ignore: decorator
@inline
export function horizontalMax(v: v128): f32 {
  const pairs = f32x4.max(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/**
 * The larger of f32 lanes that are not negative: their bits have the order of the numbers, and NaN is above
 * all. The maximum of f32 takes one instruction for integers, and about seven for WebAssembly's f32.
 */
// @ts-ignore: decorator
@inline
export function larger(a: v128, b: v128): v128 {
  return i32x4.max_s(a, b);
}

/** (lane0 + lane2) + (lane1 + lane3) of four f32 lanes. */
// @ts-ignore: decorator
@inline
export function sumLanesF32(v: v128): f32 {
  const pairs = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The sum of four i32 lanes. */
// @ts-ignore: decorator
@inline
export function sumLanesI32(v: v128): i32 {
  const pairs = i32x4.add(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** The sums of the lanes of four vectors of i32, one in each lane. */
// @ts-ignore: decorator
@inline
export function sumsOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return i32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
}
