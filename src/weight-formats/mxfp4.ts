import { affineFormat } from "./affine-format.js";
import { corruptBlock } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const codesAt = 1;
/** 6 · 2^(253 − 127) has no float32, and 255 is NaN. */
const largestExponent = 252;
/**
 * Twice the values of a 4-bit float E2M1 (OCP Microscaling Formats 1.0): sign, two bits of exponent, one of
 * mantissa.
 */
const values: Int8Array = Int8Array.of(...[0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]);

/**
 * 4.25 bits a weight: blocks of 32 with a power of two, then 16 bytes as in Q4_0; w = 2^(e − 127) ·
 * E2M1[code]. e is the first byte.
 */
export const mxfp4: WeightFormat = affineFormat({
  name: "MXFP4",
  id: 39,
  blockElements: 32,
  blockBytes: 17,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    const exponent = bytes[at] as number;
    if (exponent > largestExponent) throw corruptBlock("MXFP4", `an exponent is ${exponent}`, at);
    // Halved, because `values` are doubled.
    scales[0] = 2 ** (exponent - 128);
    for (let index = 0; index < 16; index += 1) {
      const byte = bytes[at + codesAt + index] as number;
      codes[index] = values[byte & 15] as number;
      codes[index + 16] = values[byte >>> 4] as number;
    }
  },
});
