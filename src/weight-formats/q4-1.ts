import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const minimumAt = 2;
const codesAt = 4;

/**
 * 5 bits a weight: blocks of 32 with d and m, halves, then 16 bytes; w = d · code + m. Byte j holds the code
 * of weight j in bits 3-0 and of weight 16 + j in bits 7-4.
 */
export const q41: WeightFormat = affineFormat({
  name: "Q4_1",
  id: 3,
  blockElements: 32,
  blockBytes: 20,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales, minimums }) {
    scales[0] = readScale("Q4_1", bytes, at);
    minimums[0] = -readScale("Q4_1", bytes, at + minimumAt);
    for (let index = 0; index < 16; index += 1) {
      const byte = bytes[at + codesAt + index] as number;
      codes[index] = byte & 15;
      codes[index + 16] = byte >>> 4;
    }
  },
});
