import { requireTensorBytes, viewOf } from "./checks.js";
import { float16ToNumber, numberToFloat16 } from "./float16.js";
import type { WeightFormat } from "./weight-format.js";

/** IEEE binary16, little-endian. */
export const f16: WeightFormat = {
  name: "F16",
  id: 1,
  blockElements: 1,
  ternary: false,
  tensorBytes: (elements) => elements * 2,
  decode(bytes, elements) {
    requireTensorBytes(f16, bytes, elements);
    const view = viewOf(bytes);
    return Float32Array.from({ length: elements }, (_, index) =>
      float16ToNumber(view.getUint16(index * 2, true)),
    );
  },
  encode(values) {
    const bytes = new Uint8Array(values.length * 2);
    const view = viewOf(bytes);
    values.forEach((value, index) => view.setUint16(index * 2, numberToFloat16(value), true));
    return bytes;
  },
};
