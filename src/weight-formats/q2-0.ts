import { blockFormat, readScale } from "./block-format.js";
import { ternaryScale, writeTernaryScale } from "./ternary-scale.js";
import type { WeightFormat } from "./weight-format.js";

const codesAt = 2;

/** Ternary weights in blocks of 64, at 2.25 bits each: the layout of type id 42 in GGML. */
export const q20: WeightFormat = groupsOf(64, "Q2_0");

/**
 * The same in blocks of 128, at 2.125 bits each. A fork published the first such models in it under the same
 * id, before GGML settled on 64. The size of a tensor tells the two apart. Converters should write 64.
 */
export const q20Groups128: WeightFormat = groupsOf(128, "Q2_0_G128");

/**
 * A block is d, a half, and its weights at two bits each, w = d · (code − 1). Weight j is in bits 2(j mod 4)
 * and the next of byte ⌊j / 4⌋. Unlike in other ternary formats, code 3 means 2d, though no known writer
 * makes it.
 */
function groupsOf(blockElements: number, name: string): WeightFormat {
  return blockFormat({
    name,
    id: 42,
    blockElements,
    blockBytes: codesAt + blockElements / 4,
    ternary: true,

    decodeBlock(bytes, at, values) {
      const scale = readScale(name, bytes, at);
      for (let index = 0; index < blockElements; index += 1) {
        const code = ((bytes[at + codesAt + (index >>> 2)] as number) >>> (2 * (index & 3))) & 3;
        values[index] = code === 1 ? 0 : scale * (code - 1);
      }
    },

    /**
     * @throws BitNetError INVALID_ARGUMENT unless every value of a block is 0, d or −d for one d, stored as a
     *   half.
     */
    encodeBlock(values, bytes, at, first) {
      writeTernaryScale(name, bytes, at, ternaryScale(name, values, first), first);
      for (let index = 0; index < blockElements; index += 1) {
        const code = Math.sign(values[index] as number) + 1;
        const byteIndex = at + codesAt + (index >>> 2);
        bytes[byteIndex] = (bytes[byteIndex] as number) | (code << (2 * (index & 3)));
      }
    },
  });
}
