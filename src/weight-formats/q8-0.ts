import { blockFormat, readScale, writeScale } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const BLOCK_ELEMENTS = 32;
const CODES_AT = 2;
const float32 = Math.fround;

/** 8.5 bits a weight: blocks of 32 with d, a half, then a signed byte each; w = d · code. */
export const q80: WeightFormat = blockFormat({
  name: "Q8_0",
  id: 8,
  blockElements: BLOCK_ELEMENTS,
  blockBytes: 34,
  ternary: false,

  decodeBlock(bytes, at, values) {
    const scale = readScale("Q8_0", bytes, at);
    for (let index = 0; index < BLOCK_ELEMENTS; index++) {
      values[index] = scale * (((bytes[at + CODES_AT + index] as number) << 24) >> 24);
    }
  },

  /** The largest magnitude becomes ±127; halves round away from zero. In float32, as the reference computes. */
  encodeBlock(values, bytes, at) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = float32(largest / 127);
    const inverse = float32(1 / scale);
    writeScale(bytes, at, scale);
    // Below 2^-128 and at 0 there is no inverse; the half is 0 then.
    if (!Number.isFinite(inverse)) return;
    for (let index = 0; index < BLOCK_ELEMENTS; index++) {
      const ratio = float32((values[index] as number) * inverse);
      bytes[at + CODES_AT + index] = Math.sign(ratio) * Math.floor(Math.abs(ratio) + 0.5);
    }
  },
});
