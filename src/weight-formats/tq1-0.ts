import { blockFormat, readScale } from "./block-format.js";
import { ternaryScale, writeTernaryScale } from "./ternary-scale.js";
import type { WeightFormat } from "./weight-format.js";

/**
 * Runs of bytes with `digits` weights each. The first weight of byte m is `weight` + m, the next is `bytes`
 * later.
 */
const runs = [
  { at: 0, bytes: 32, digits: 5, weight: 0 },
  { at: 32, bytes: 16, digits: 5, weight: 160 },
  { at: 48, bytes: 4, digits: 4, weight: 240 },
] as const;
const scaleAt = 52;
/** 3^5: five base-3 digits make a smaller number. */
const numbers = 243;

/**
 * Ternary weights at 1.6875 bits each: blocks of 256 with a scale, w = d · (digit − 1).
 *
 * | bytes | hold |
 * |---|---|
 * | 0…31 | five digits each: byte m has weights m, 32 + m, … 128 + m |
 * | 32…47 | five digits each: byte 32 + m has weights 160 + m, 176 + m, … 224 + m |
 * | 48…51 | four digits each: byte 48 + m has weights 240 + m, 244 + m, 248 + m, 252 + m |
 * | 52, 53 | d, a half |
 *
 * The digits of a byte make a base-3 number n, highest digit first; four digits get a 0 after them. The byte
 * is n · 256 / 243, rounded up: a binary fraction of n / 243. Three times it carries the first digit out of
 * eight bits and leaves the fraction of the rest. So any byte decodes, also the 13 that no writer makes.
 */
export const tq10: WeightFormat = blockFormat({
  name: "TQ1_0",
  id: 34,
  blockElements: 256,
  blockBytes: 54,
  ternary: true,

  decodeBlock(bytes, at, values) {
    const scale = readScale("TQ1_0", bytes, at + scaleAt);
    for (const run of runs) {
      for (let byteIndex = 0; byteIndex < run.bytes; byteIndex += 1) {
        let fraction = bytes[at + run.at + byteIndex] as number;
        for (let digit = 0; digit < run.digits; digit += 1) {
          fraction *= 3;
          const code = fraction >>> 8;
          fraction &= 255;
          values[run.weight + digit * run.bytes + byteIndex] = code === 1 ? 0 : scale * (code - 1);
        }
      }
    }
  },

  /**
   * @throws BitNetError INVALID_ARGUMENT unless every value of a block is 0, d or −d for one d, stored as a
   *   half.
   */
  encodeBlock(values, bytes, at, first) {
    writeTernaryScale("TQ1_0", bytes, at + scaleAt, ternaryScale("TQ1_0", values, first), first);
    for (const run of runs) {
      for (let byteIndex = 0; byteIndex < run.bytes; byteIndex += 1) {
        let number = 0;
        for (let digit = 0; digit < 5; digit += 1) {
          number *= 3;
          if (digit >= run.digits) continue;
          number += Math.sign(values[run.weight + digit * run.bytes + byteIndex] as number) + 1;
        }
        bytes[at + run.at + byteIndex] = Math.ceil((number * 256) / numbers);
      }
    }
  },
});
