import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const codesAt = 16;
const scaleAt = 80;
const minimumAt = 82;

/**
 * 2.625 bits a weight: blocks of 256 with a scale and a minimum, and 4-bit factors of both for each 16;
 * w = d · s · code − m · t.
 *
 * | bytes | hold |
 * |---|---|
 * | 0…15 | s of each 16 weights in bits 3-0 and t in bits 7-4 |
 * | 16…79 | the codes. Each 32 bytes hold 128 weights: byte j has weight j in bits 1-0, 32 + j in 3-2, 64 + j in 5-4, 96 + j in 7-6 |
 * | 80…83 | d and m, halves |
 */
export const q2K: WeightFormat = affineFormat({
  name: "Q2_K",
  id: 10,
  blockElements: 256,
  blockBytes: 84,
  groupElements: 16,

  readBlock(bytes, at, { codes, scales, minimums }) {
    const scale = readScale("Q2_K", bytes, at + scaleAt);
    const minimum = readScale("Q2_K", bytes, at + minimumAt);
    for (let group = 0; group < 16; group += 1) {
      const factors = bytes[at + group] as number;
      // Exact in float32: 11 bits by 4.
      scales[group] = scale * (factors & 15);
      minimums[group] = minimum * (factors >>> 4);
    }
    for (let index = 0; index < 256; index += 1) {
      const byte = bytes[at + codesAt + (index >>> 7) * 32 + (index & 31)] as number;
      codes[index] = (byte >>> (2 * ((index >>> 5) & 3))) & 3;
    }
  },
});
