import { requireTensorBytes, viewOf } from "./checks.js";
import { float16ToNumber, float32BitsToFloat16 } from "./float16.js";
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
    const values = new Float32Array(elements);
    for (let index = 0; index < elements; index += 1) {
      values[index] = float16ToNumber(view.getUint16(index * 2, true));
    }
    return values;
  },
  encode(values) {
    const bytes = new Uint8Array(values.length * 2);
    const view = viewOf(bytes);
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let index = 0; index < bits.length; index += 1) {
      view.setUint16(index * 2, float32BitsToFloat16(bits[index] as number), true);
    }
    return bytes;
  },
};
