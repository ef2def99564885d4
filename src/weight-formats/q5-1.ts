import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import { fiveBits } from "./five-bits.js";
import type { WeightFormat } from "./weight-format.js";

const minimumAt = 2;
const highBitsAt = 4;
const lowBitsAt = 8;

/** 6 bits a weight: blocks of 32 with d and m, halves, then 4 bytes and 16 as in Q5_0; w = d · code + m. */
export const q51: WeightFormat = affineFormat({
  name: "Q5_1",
  id: 7,
  blockElements: 32,
  blockBytes: 24,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales, minimums }) {
    scales[0] = readScale("Q5_1", bytes, at);
    minimums[0] = -readScale("Q5_1", bytes, at + minimumAt);
    for (let index = 0; index < 32; index += 1) {
      codes[index] = fiveBits(bytes, at + highBitsAt, at + lowBitsAt, index);
    }
  },
});
