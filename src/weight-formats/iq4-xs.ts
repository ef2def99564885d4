import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import { iq4Values } from "./iq4-values.js";
import type { WeightFormat } from "./weight-format.js";

const highFactorsAt = 2;
const lowFactorsAt = 4;
const codesAt = 8;

/**
 * 4.25 bits a weight: blocks of 256 with a scale, and a 6-bit factor for each 32; w = d · (s − 32) ·
 * level[code], with the levels of IQ4_NL.
 *
 * | bytes | hold |
 * |---|---|
 * | 0, 1 | d, a half |
 * | 2, 3 | bits 5-4 of s: group k in bits 2k + 1 and 2k, little-endian |
 * | 4…7 | bits 3-0 of s: byte j has group 2j in its low half and 2j + 1 in its high half |
 * | 8…135 | the codes: byte j of each 16 has weight j in its low half and 16 + j in its high half, of each 32 |
 */
export const iq4Xs: WeightFormat = affineFormat({
  name: "IQ4_XS",
  id: 23,
  blockElements: 256,
  blockBytes: 136,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    const scale = readScale("IQ4_XS", bytes, at);
    for (let group = 0; group < 8; group += 1) {
      const low = ((bytes[at + lowFactorsAt + (group >>> 1)] as number) >>> (4 * (group & 1))) & 15;
      const high = ((bytes[at + highFactorsAt + (group >>> 2)] as number) >>> (2 * (group & 3))) & 3;
      // Exact in float32: 11 bits by 6.
      scales[group] = scale * ((high << 4) + low - 32);
    }
    for (let index = 0; index < 256; index += 1) {
      const byte = bytes[at + codesAt + (index >>> 5) * 16 + (index & 15)] as number;
      codes[index] = iq4Values[(byte >>> (4 * ((index >>> 4) & 1))) & 15] as number;
    }
  },
});
