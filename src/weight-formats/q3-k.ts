import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const lowBitsAt = 32;
const factorsAt = 96;
const scaleAt = 108;

/**
 * 3.4375 bits a weight: blocks of 256 with a scale, and a 6-bit factor for each 16; w = d · (s − 32) · (code
 * − 4).
 *
 * | bytes | hold |
 * |---|---|
 * | 0…31 | bit 2 of the codes: bit k of byte j is that of weight 32 · k + j |
 * | 32…95 | bits 1-0 of the codes. Each 32 bytes hold 128 weights: byte j has weight j in bits 1-0, 32 + j in 3-2, 64 + j in 5-4, 96 + j in 7-6 |
 * | 96…103 | bits 3-0 of s: groups 0…7 in the low nibbles, groups 8…15 in the high nibbles |
 * | 104…107 | bits 5-4 of s: byte j has group j in bits 1-0, 4 + j in 3-2, 8 + j in 5-4, 12 + j in 7-6 |
 * | 108, 109 | d, a float16 |
 */
export const q3K: WeightFormat = affineFormat({
  name: "Q3_K",
  id: 11,
  blockElements: 256,
  blockBytes: 110,
  groupElements: 16,

  readBlock(bytes, at, { codes, scales }) {
    const scale = readScale("Q3_K", bytes, at + scaleAt);
    for (let group = 0; group < 16; group += 1) {
      const low = ((bytes[at + factorsAt + (group & 7)] as number) >>> (4 * (group >>> 3))) & 15;
      const high = ((bytes[at + factorsAt + 8 + (group & 3)] as number) >>> (2 * (group >>> 2))) & 3;
      // Exact in float32: 11 bits by 6.
      scales[group] = scale * ((high << 4) + low - 32);
    }
    for (let index = 0; index < 256; index += 1) {
      const byte = bytes[at + lowBitsAt + (index >>> 7) * 32 + (index & 31)] as number;
      const low = (byte >>> (2 * ((index >>> 5) & 3))) & 3;
      const high = ((bytes[at + (index & 31)] as number) >>> (index >>> 5)) & 1;
      codes[index] = (high << 2) + low - 4;
    }
  },
});
