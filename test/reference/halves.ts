import { roundHalfEven } from "./float32.js";

/** The number of an IEEE half's 16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The nearest half as a number, ties to even. Beyond ±65504 the result is ±65504. */
export function roundToHalf(value: number): number {
  if (Math.abs(value) >= 65504) return Math.sign(value) * 65504;
  // In each binade halves are multiples of a unit: 2⁻²⁴ below 2⁻¹⁴, then 2⁻¹⁰ of the power of two below.
  const power = Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 2 ** -15)));
  const unit = 2 ** (power - 10);
  return (
    Math.min(65504, Math.abs(roundHalfEven(value / unit) * unit)) *
    (value < 0 || Object.is(value, -0) ? -1 : 1)
  );
}

/**
 * The bits of a "rebiased half" (assembly/simd/half): sign, five bits of exponent + 25, ten of fraction,
 * nothing subnormal. Undefined for numbers without such bits.
 */
export function rebiasedBits(value: number): number | undefined {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (!(magnitude < 128)) return undefined;
  if (magnitude === 0) return sign;
  const power = Math.floor(Math.log2(magnitude));
  const fraction = (magnitude / 2 ** power - 1) * 1024;
  return sign | ((power + 25) << 10) | fraction;
}
