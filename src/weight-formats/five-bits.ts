/**
 * The 5-bit code of weight `index` of 32, as Q5_0 and Q5_1 store it. Bit 4 is bit `index` of four
 * little-endian bytes. Bits 3-0 are in 16 bytes: weight j in the low half of byte j, weight 16 + j in the
 * high half.
 */
export function fiveBits(bytes: Uint8Array, highAt: number, lowAt: number, index: number): number {
  const low = ((bytes[lowAt + (index & 15)] as number) >>> (4 * (index >>> 4))) & 15;
  const high = ((bytes[highAt + (index >>> 3)] as number) >>> (index & 7)) & 1;
  return (high << 4) + low;
}
