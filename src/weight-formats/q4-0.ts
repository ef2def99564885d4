import { affineFormat } from "./affine-format.js";
import { readScale, writeScale } from "./block-format.js";
import { signedMaxCodes } from "./signed-max.js";
import type { WeightFormat } from "./weight-format.js";

const codesAt = 2;

/**
 * 4.5 bits a weight: blocks of 32 with d, a half, then 16 bytes; w = d · (code − 8). Byte j holds the code of
 * weight j in bits 3-0 and of weight 16 + j in bits 7-4.
 */
export const q40: WeightFormat = affineFormat({
  name: "Q4_0",
  id: 2,
  blockElements: 32,
  blockBytes: 18,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    scales[0] = readScale("Q4_0", bytes, at);
    for (let index = 0; index < 16; index += 1) {
      const byte = bytes[at + codesAt + index] as number;
      codes[index] = (byte & 15) - 8;
      codes[index + 16] = (byte >>> 4) - 8;
    }
  },

  encodeBlock(values, bytes, at) {
    const { scale, codes } = signedMaxCodes(values, 8);
    writeScale(bytes, at, scale);
    for (let index = 0; index < 16; index += 1) {
      bytes[at + codesAt + index] = (codes[index] as number) | ((codes[index + 16] as number) << 4);
    }
  },
});
