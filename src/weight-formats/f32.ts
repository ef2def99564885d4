import { requireTensorBytes, viewOf } from "./checks.js";
import type { WeightFormat } from "./weight-format.js";

/** IEEE binary32, little-endian. */
export const f32: WeightFormat = {
  name: "F32",
  id: 0,
  blockElements: 1,
  ternary: false,
  tensorBytes: (elements) => elements * 4,
  decode(bytes, elements) {
    requireTensorBytes(f32, bytes, elements);
    const view = viewOf(bytes);
    const values = new Float32Array(elements);
    for (let index = 0; index < elements; index += 1) values[index] = view.getFloat32(index * 4, true);
    return values;
  },
  encode(values) {
    const bytes = new Uint8Array(values.length * 4);
    const view = viewOf(bytes);
    values.forEach((value, index) => view.setFloat32(index * 4, value, true));
    return bytes;
  },
};
