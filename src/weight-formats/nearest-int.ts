const floatBits = new Float32Array(1);
const intBits = new Int32Array(floatBits.buffer);
/** 1.5 · 2^23. A float32 sum with it has the nearest integer, ties to even, in its low 22 bits. */
const rounder = 12_582_912;

/**
 * The nearest integer, as the reference's K-quants compute it, for magnitudes below 2^22. Larger numbers,
 * infinities and NaN give the same arbitrary integers as the reference; they are clamped afterwards.
 */
export function nearestInt(value: number): number {
  const sum = Math.fround(value + rounder);
  // The common case: the same result without a detour through memory.
  if (sum >= 0x80_0000 && sum < 0x100_0000) return sum - rounder;
  floatBits[0] = sum;
  return ((intBits[0] as number) & 0x7f_ffff) - 0x40_0000;
}

export function clamp(value: number, min: number, max: number): number {
  return value < min ? min : value > max ? max : value;
}
