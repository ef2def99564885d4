/** The minimum scale: a matrix of zeros cannot be divided by its mean. */
export const smallestTernaryScale = 1e-5;

/**
 * Makes master weights ternary by the rule of BitNet b1.58's training, per matrix and in float32: d =
 * max(mean|W|, 1e-5), w = d · clamp(round half to even (W / d), −1, 1).
 *
 * The mean is summed in double and rounded once. So it does not depend on the order of summation, in which
 * frameworks differ. d can differ from theirs in its last bit.
 *
 * @returns new values, each exactly −d, 0 or d, as `i2S.encode` expects them
 */
export function ternarizeByAbsmean(values: Float32Array): Float32Array {
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  const scale = Math.fround(Math.max(sum / Math.max(values.length, 1), smallestTernaryScale));
  return values.map((value) => scale * ternaryOf(value, scale));
}

/** −1, 0 or 1: clamp(round half to even (value / scale), −1, 1) in float32. */
export function ternaryOf(value: number, scale: number): number {
  const ratio = Math.fround(value / scale);
  // Half to even: ±0.5 rounds to 0, and larger values clamp to ±1.
  return ratio > 0.5 ? 1 : ratio < -0.5 ? -1 : 0;
}
