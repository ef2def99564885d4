/** 1.5 · 2^52. Adding and subtracting it times `ulp` rounds a double to a multiple of `ulp`, ties to even. */
const integerRounder = 1.5 * 2 ** 52;
/** The largest magnitude that rounds to a finite half. From the midpoint 65520 on, it is infinity. */
const overflow = 65520;
const smallestNormal = 2 ** -14;
const smallestSubnormal = 2 ** -24;
/** Factor of a fraction of 1024…2047, by exponent field. */
const steps = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

const floats = new Float32Array(1);
const bitsOfFloats = new Uint32Array(floats.buffer);

/**
 * The number of an IEEE binary16 pattern. Exact, since every half is a double.
 *
 * @param bits 0…65535; higher bits are ignored
 */
export function float16ToNumber(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * smallestSubnormal;
  return sign * (1024 + fraction) * (steps[exponent] as number);
}

/**
 * The binary16 pattern nearest to a number, ties to even, in one rounding from double.
 *
 * Node 20 and 22 lack `Math.f16round` and `Float16Array`, and a detour through float32 would round twice.
 * Every NaN becomes 0x7e00.
 */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= overflow) return sign | 0x7c00;

  if (magnitude < smallestNormal) {
    const rounder = integerRounder * smallestSubnormal;
    // A carry to 1024 gives the pattern of the smallest normal number: the encodings meet there.
    return sign | ((magnitude + rounder - rounder) / smallestSubnormal);
  }
  let exponent = Math.floor(Math.log2(magnitude));
  // Just below a power of two, and only there, log2 may round up to the next integer.
  if (2 ** exponent > magnitude) exponent -= 1;
  const ulp = 2 ** (exponent - 10);
  const significand = (magnitude + integerRounder * ulp - integerRounder * ulp) / ulp;
  // 1024…2048: the hidden bit and a carry both add into the exponent field.
  return sign | (((exponent + 14) << 10) + significand);
}

/**
 * The same for a float32 number, from its bits: ten times as fast.
 *
 * @param bits the float32's bits, unsigned
 */
export function float32BitsToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return 0x7e00;
  // From 2^16 on. Numbers just below may round up to infinity by the carry below.
  if (magnitude >= 0x4780_0000) return sign | 0x7c00;
  if (magnitude >= 0x3880_0000) {
    // Exponents are rebiased by 112. Adds half a step, less one if the kept part is even: a tie goes to even.
    const rebiased = magnitude - 0x3800_0000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  // The last bit of 0.5 is the smallest subnormal half, so adding it rounds to multiples of that.
  bitsOfFloats[0] = magnitude;
  floats[0] = (floats[0] as number) + 0.5;
  return sign | (bitsOfFloats[0] - 0x3f00_0000);
}
