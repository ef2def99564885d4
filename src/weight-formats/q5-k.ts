import { affineFormat } from "./affine-format.js";
import { readSteps } from "./k-steps.js";
import type { WeightFormat } from "./weight-format.js";

const highBitsAt = 16;
const lowBitsAt = 48;

/**
 * 5.5 bits a weight: blocks of 256 with a scale and a minimum, and 6-bit factors of both for each 32;
 * w = d · s · code − m · t.
 *
 * | bytes | hold |
 * |---|---|
 * | 0…15 | scales and factors (k-steps.ts) |
 * | 16…47 | bit 4 of the codes: bit k of byte j is that of weight 32 · k + j |
 * | 48…175 | bits 3-0: byte j of each 32 has weight j in its low half and 32 + j in its high half, of each 64 |
 */
export const q5K: WeightFormat = affineFormat({
  name: "Q5_K",
  id: 13,
  blockElements: 256,
  blockBytes: 176,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales, minimums }) {
    readSteps("Q5_K", bytes, at, scales, minimums);
    for (let index = 0; index < 256; index += 1) {
      const group = index >>> 5;
      const low = (bytes[at + lowBitsAt + (index >>> 6) * 32 + (index & 31)] as number) >>> (4 * (group & 1));
      const high = ((bytes[at + highBitsAt + (index & 31)] as number) >>> group) & 1;
      codes[index] = (high << 4) + (low & 15);
    }
  },
});
