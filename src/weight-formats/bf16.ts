import { requireTensorBytes, viewOf } from "./checks.js";
import type { WeightFormat } from "./weight-format.js";

const scratch = new DataView(new ArrayBuffer(4));

/** The upper half of a binary32, little-endian: the same range, and 8 bits of significand. */
export const bf16: WeightFormat = {
  name: "BF16",
  id: 30,
  blockElements: 1,
  ternary: false,
  tensorBytes: (elements) => elements * 2,
  decode(bytes, elements) {
    requireTensorBytes(bf16, bytes, elements);
    const view = viewOf(bytes);
    const values = new Float32Array(elements);
    for (let index = 0; index < elements; index += 1) {
      values[index] = bfloat16ToNumber(view.getUint16(index * 2, true));
    }
    return values;
  },
  encode(values) {
    const bytes = new Uint8Array(values.length * 2);
    const view = viewOf(bytes);
    values.forEach((value, index) => view.setUint16(index * 2, float32ToBfloat16(value), true));
    return bytes;
  },
};

/** The number of a bfloat16 pattern, exact. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, (bits & 0xffff) * 0x10000);
  return scratch.getFloat32(0);
}

/** The bfloat16 pattern nearest to a float32, ties to even. Every NaN becomes 0x7fc0. */
export function float32ToBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  // Adds half a step, less one if the kept part is even. So a tie goes to even, and a carry runs into the
  // exponent.
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
