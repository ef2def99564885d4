const FLOAT_BITS = new Float32Array(1);
const INT_BITS = new Int32Array(FLOAT_BITS.buffer);
/** 1.5 · 2^23: a float32 sum with it has the nearest integer, ties to even, in its low 22 bits. */
const ROUNDER = 12_582_912;

/**
 * The nearest integer as the reference's K-quants take it, for magnitudes below 2^22. Beyond, and for infinities and
 * not-a-number, the same arbitrary integers as there: they are clamped afterwards.
 */
export function nearestInt(value: number): number {
  const sum = Math.fround(value + ROUNDER);
  // Nearly always: the same without a trip through memory.
  if (sum >= 0x80_0000 && sum < 0x100_0000) return sum - ROUNDER;
  FLOAT_BITS[0] = sum;
  return ((INT_BITS[0] as number) & 0x7f_ffff) - 0x40_0000;
}

export function clamp(value: number, least: number, most: number): number {
  return value < least ? least : value > most ? most : value;
}
