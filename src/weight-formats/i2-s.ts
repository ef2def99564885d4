import { BitNetError } from "../errors.js";
import { requireElements, requireTensorBytes, viewOf } from "./checks.js";
import { ternaryScale } from "./ternary-scale.js";
import type { WeightFormat } from "./weight-format.js";

const blockElements = 128;
const blockBytes = 32;
/**
 * The per-tensor scale d as f32, and 28 bytes that are never read. Writers fill them with repeats of d, zeros
 * or junk.
 */
export const i2sTailBytes = 32;

/**
 * Ternary weights at 2 bits each with one scale per tensor: w = d · (code − 1), code 0, 1 or 2.
 *
 * Each run of 128 weights of the flattened row-major matrix is 32 bytes. Byte j holds weight j in bits 7-6,
 * 32 + j in bits 5-4, 64 + j in bits 3-2 and 96 + j in bits 1-0. The scale follows the codes of the whole
 * tensor.
 *
 * Some ARM builds of the native engine write runs of 64 under the same type id. The bytes do not show which
 * one it is. The published layout counts here, for reading and writing.
 */
export const i2S: WeightFormat = {
  name: "I2_S",
  id: 36,
  blockElements: blockElements,
  ternary: true,
  tensorBytes: (elements) => elements / 4 + i2sTailBytes,

  decode(bytes, elements) {
    requireTensorBytes(i2S, bytes, elements);
    const codeBytes = elements / 4;
    const scale = viewOf(bytes).getFloat32(codeBytes, true);
    if (!Number.isFinite(scale)) throw corrupt(`the scale is ${scale}`, codeBytes);

    const values = new Float32Array(elements);
    for (let byteIndex = 0; byteIndex < codeBytes; byteIndex += 1) {
      const byte = bytes[byteIndex] as number;
      const first = Math.floor(byteIndex / blockBytes) * blockElements + (byteIndex % blockBytes);
      for (let group = 0; group < 4; group += 1) {
        const code = (byte >>> (6 - 2 * group)) & 3;
        if (code === 3) throw corrupt("weight code 3 has no meaning", byteIndex);
        values[first + 32 * group] = code === 1 ? 0 : scale * (code - 1);
      }
    }
    return values;
  },

  /** @throws BitNetError INVALID_ARGUMENT unless every value is 0, d or −d for one d: ternarize first. */
  encode(values) {
    requireElements(i2S, values.length);
    // If all values are 0, any scale works.
    const scale = ternaryScale(i2S.name, values, 0) || 1;
    const codeBytes = values.length / 4;
    const bytes = new Uint8Array(codeBytes + i2sTailBytes);
    for (let index = 0; index < values.length; index += 1) {
      const code = Math.sign(values[index] as number) + 1;
      const inBlock = index % blockElements;
      const byteIndex = ((index - inBlock) / blockElements) * blockBytes + (inBlock % 32);
      bytes[byteIndex] = (bytes[byteIndex] as number) | (code << (6 - 2 * Math.floor(inBlock / 32)));
    }
    viewOf(bytes).setFloat32(codeBytes, scale, true);
    return bytes;
  },
};

function corrupt(what: string, offset: number): BitNetError {
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot decode I2_S: ${what} (byte ${offset} of the tensor); the file is damaged or not I2_S in runs of 128`,
    { details: { offset } },
  );
}
