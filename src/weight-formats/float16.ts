/** 1.5 · 2^52: adding and subtracting this times `ulp` rounds a double to a multiple of `ulp`, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;
/** The largest magnitude that still rounds to a finite half; from the midpoint 65520 on, it is infinity. */
const OVERFLOW = 65520;
const SMALLEST_NORMAL = 2 ** -14;
const SMALLEST_SUBNORMAL = 2 ** -24;

/**
 * The number that an IEEE binary16 pattern stands for: exact, since every half is a double.
 *
 * @param bits 0…65535; higher bits are ignored.
 */
export function float16ToNumber(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * SMALLEST_SUBNORMAL;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * The binary16 pattern nearest to a number, ties to even, in one rounding from double.
 *
 * Written out because `Math.f16round` and `Float16Array` are missing from Node 20 and 22, and going through float32 first
 * would round twice. Every NaN becomes 0x7e00.
 */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= OVERFLOW) return sign | 0x7c00;

  if (magnitude < SMALLEST_NORMAL) {
    const rounder = ROUNDER * SMALLEST_SUBNORMAL;
    // A carry to 1024 is the pattern of the smallest normal number: the encodings meet there.
    return sign | ((magnitude + rounder - rounder) / SMALLEST_SUBNORMAL);
  }
  let exponent = Math.floor(Math.log2(magnitude));
  // log2 may round up to the next integer just below a power of two, and only there.
  if (2 ** exponent > magnitude) exponent--;
  const ulp = 2 ** (exponent - 10);
  const significand = (magnitude + ROUNDER * ulp - ROUNDER * ulp) / ulp;
  // 1024…2048: the hidden bit and a carry both add into the exponent field.
  return sign | (((exponent + 14) << 10) + significand);
}
