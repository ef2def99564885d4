import { affineFormat } from "./affine-format.js";
import { readScale, writeScale } from "./block-format.js";
import type { WeightFormat } from "./weight-format.js";

const blockElements = 32;
const codesAt = 2;
const float32 = Math.fround;

/** 8.5 bits a weight: blocks of 32 with d, a half, then a signed byte each; w = d · code. */
export const q80: WeightFormat = affineFormat({
  name: "Q8_0",
  id: 8,
  blockElements: blockElements,
  blockBytes: 34,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    scales[0] = readScale("Q8_0", bytes, at);
    codes.set(bytes.subarray(at + codesAt, at + codesAt + blockElements));
  },

  /** The largest magnitude becomes ±127. Halves round away from zero, in float32, like the reference. */
  encodeBlock(values, bytes, at) {
    const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const scale = float32(largest / 127);
    const inverse = float32(1 / scale);
    writeScale(bytes, at, scale);
    // Below 2^-128 and at 0 there is no inverse. The half is 0 then.
    if (!Number.isFinite(inverse)) return;
    for (let index = 0; index < blockElements; index += 1) {
      const ratio = float32((values[index] as number) * inverse);
      bytes[at + codesAt + index] = Math.sign(ratio) * Math.floor(Math.abs(ratio) + 0.5);
    }
  },
});
