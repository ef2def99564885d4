// Sums and maxima across the lanes of a vector, each in one fixed order.

/** The largest of four f32 lanes; NaN if any is. */
// @ts-ignore: decorator
@inline
export function horizontalMax(v: v128): f32 {
  const pairs = f32x4.max(v, i32x4.shuffle(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
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
