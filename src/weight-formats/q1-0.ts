import { blockFormat, readScale } from "./block-format.js";
import { notTernary, ternaryScale, writeTernaryScale } from "./ternary-scale.js";
import type { WeightFormat } from "./weight-format.js";

const blockElements = 128;
const bitsAt = 2;
const float32 = Math.fround;

/**
 * Signs at 1.125 bits each: blocks of 128 with a scale, w = d if the weight's bit is 1, −d if it is 0.
 *
 * A block is d, a half, and 16 bytes of bits. Weight j is bit j mod 8 of byte ⌊j / 8⌋. A zero exists only in
 * a block with scale 0.
 */
export const q10: WeightFormat = blockFormat({
  name: "Q1_0",
  id: 41,
  blockElements: blockElements,
  blockBytes: 18,
  ternary: true,

  decodeBlock(bytes, at, values) {
    const scale = readScale("Q1_0", bytes, at);
    for (let index = 0; index < blockElements; index += 1) {
      const bit = ((bytes[at + bitsAt + (index >>> 3)] as number) >>> (index & 7)) & 1;
      values[index] = bit === 1 ? scale : -scale;
    }
  },

  /**
   * @throws BitNetError INVALID_ARGUMENT unless every value of a block is d or −d for one d, stored as a
   *   half.
   */
  encodeBlock(values, bytes, at, first) {
    const scale = ternaryScale("Q1_0", values, first);
    const zero = scale === 0 ? -1 : values.indexOf(0);
    if (zero >= 0) throw notTernary("Q1_0", 0, first + zero, `±${scale}, and the format has signs only`);

    // The mean magnitude, like the reference: a sum of equal numbers that are not halves may round.
    let sum = 0;
    for (const value of values) sum = float32(sum + Math.abs(value));
    writeTernaryScale("Q1_0", bytes, at, sum / blockElements, first);
    for (let index = 0; index < blockElements; index += 1) {
      if ((values[index] as number) < 0) continue;
      const byteIndex = at + bitsAt + (index >>> 3);
      bytes[byteIndex] = (bytes[byteIndex] as number) | (1 << (index & 7));
    }
  },
});
