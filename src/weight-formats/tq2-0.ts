import { blockFormat, corruptBlock, readScale } from "./block-format.js";
import { ternaryScale, writeTernaryScale } from "./ternary-scale.js";
import type { WeightFormat } from "./weight-format.js";

const scaleAt = 64;

/**
 * Ternary weights at 2.0625 bits each: blocks of 256 with a scale, w = d · (code − 1), code 0, 1 or 2.
 *
 * A block is 64 bytes of codes and d, a half. Each half of the block, 128 weights, is 32 bytes. Byte j holds
 * weight j in bits 1-0, 32 + j in bits 3-2, 64 + j in bits 5-4 and 96 + j in bits 7-6. This is I2_S's order
 * with the bit pairs reversed.
 */
export const tq20: WeightFormat = blockFormat({
  name: "TQ2_0",
  id: 35,
  blockElements: 256,
  blockBytes: 66,
  ternary: true,

  decodeBlock(bytes, at, values) {
    const scale = readScale("TQ2_0", bytes, at + scaleAt);
    for (let index = 0; index < 256; index += 1) {
      const { byteIndex, shift } = placeOf(index);
      const code = ((bytes[at + byteIndex] as number) >>> shift) & 3;
      if (code === 3) throw corruptBlock("TQ2_0", "weight code 3 has no meaning", at + byteIndex);
      values[index] = code === 1 ? 0 : scale * (code - 1);
    }
  },

  /**
   * @throws BitNetError INVALID_ARGUMENT unless every value of a block is 0, d or −d for one d, stored as a
   *   half.
   */
  encodeBlock(values, bytes, at, first) {
    writeTernaryScale("TQ2_0", bytes, at + scaleAt, ternaryScale("TQ2_0", values, first), first);
    for (let index = 0; index < 256; index += 1) {
      const { byteIndex, shift } = placeOf(index);
      const code = Math.sign(values[index] as number) + 1;
      bytes[at + byteIndex] = (bytes[at + byteIndex] as number) | (code << shift);
    }
  },
});

function placeOf(index: number): { readonly byteIndex: number; readonly shift: number } {
  return { byteIndex: (index >>> 7) * 32 + (index & 31), shift: 2 * ((index >>> 5) & 3) };
}
