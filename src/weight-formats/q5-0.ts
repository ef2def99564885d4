import { affineFormat } from "./affine-format.js";
import { readScale, writeScale } from "./block-format.js";
import { fiveBits } from "./five-bits.js";
import { signedMaxCodes } from "./signed-max.js";
import type { WeightFormat } from "./weight-format.js";

const highBitsAt = 2;
const lowBitsAt = 6;

/**
 * 5.5 bits a weight: blocks of 32 with d, a half, then 4 bytes and 16; w = d · (code − 16). Bit 4 of the code
 * of weight j is bit j of the four bytes, little-endian. Bits 3-0 are as in Q4_0.
 */
export const q50: WeightFormat = affineFormat({
  name: "Q5_0",
  id: 6,
  blockElements: 32,
  blockBytes: 22,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    scales[0] = readScale("Q5_0", bytes, at);
    for (let index = 0; index < 32; index += 1) {
      codes[index] = fiveBits(bytes, at + highBitsAt, at + lowBitsAt, index) - 16;
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
