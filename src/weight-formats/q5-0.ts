import { blockFormat, readScale, writeScale } from "./block-format.js";
import { signedMaxCodes } from "./signed-max.js";
import type { WeightFormat } from "./weight-format.js";

const highBitsAt = 2;
const lowBitsAt = 6;

/**
 * 5.5 bits a weight: blocks of 32 with d, a half, then 4 bytes and 16; w = d · (code − 16). Bit 4 of the code
 * of weight j is bit j of the four bytes, little-endian. Bits 3-0 are as in Q4_0.
 */
export const q50: WeightFormat = blockFormat({
  name: "Q5_0",
  id: 6,
  blockElements: 32,
  blockBytes: 22,
  ternary: false,

  decodeBlock(bytes, at, values) {
    const scale = readScale("Q5_0", bytes, at);
    for (let index = 0; index < 32; index += 1) {
      const low = ((bytes[at + lowBitsAt + (index & 15)] as number) >>> (4 * (index >>> 4))) & 15;
      const high = ((bytes[at + highBitsAt + (index >>> 3)] as number) >>> (index & 7)) & 1;
      values[index] = scale * ((high << 4) + low - 16);
    }
  },

  encodeBlock(values, bytes, at) {
    const { scale, codes } = signedMaxCodes(values, 16);
    writeScale(bytes, at, scale);
    for (let index = 0; index < 32; index += 1) {
      const code = codes[index] as number;
      const lowIndex = at + lowBitsAt + (index & 15);
      const highIndex = at + highBitsAt + (index >>> 3);
      bytes[lowIndex] = (bytes[lowIndex] as number) | ((code & 15) << (4 * (index >>> 4)));
      bytes[highIndex] = (bytes[highIndex] as number) | ((code >>> 4) << (index & 7));
    }
  },
});
