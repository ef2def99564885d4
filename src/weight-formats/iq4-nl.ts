import { affineFormat } from "./affine-format.js";
import { readScale } from "./block-format.js";
import { iq4Values } from "./iq4-values.js";
import type { WeightFormat } from "./weight-format.js";

const codesAt = 2;

/** 4.5 bits a weight: laid out as Q4_0, but a code selects one of 16 levels; w = d · level[code]. */
export const iq4Nl: WeightFormat = affineFormat({
  name: "IQ4_NL",
  id: 20,
  blockElements: 32,
  blockBytes: 18,
  groupElements: 32,

  readBlock(bytes, at, { codes, scales }) {
    scales[0] = readScale("IQ4_NL", bytes, at);
    for (let index = 0; index < 16; index += 1) {
      const byte = bytes[at + codesAt + index] as number;
      codes[index] = iq4Values[byte & 15] as number;
      codes[index + 16] = iq4Values[byte >>> 4] as number;
    }
  },
});
