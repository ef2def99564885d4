import { BitNetError } from "../errors.js";
import { requireElements, requireTensorBytes } from "./checks.js";
import { float16ToNumber, numberToFloat16 } from "./float16.js";
import type { WeightFormat } from "./weight-format.js";

/** The largest finite half. Every scale is a half, and no weight of a model comes near this limit. */
const largestValue = 65_504;

/** A format of independent blocks: the layout of one block. */
export interface BlockLayout {
  readonly name: string;
  readonly id: number;
  readonly blockElements: number;
  readonly blockBytes: number;
  readonly ternary: boolean;
  /** Decodes the block at `bytes[at]` into `values`, one block long. */
  decodeBlock(bytes: Uint8Array, at: number, values: Float32Array): void;
  /**
   * Encodes as many values as a block holds, all finite, into the block at `bytes[at]`, which is all zeros.
   * Absent for formats that are only read.
   * @param first Index of the first value in the tensor, for messages.
   */
  readonly encodeBlock?: (values: Float32Array, bytes: Uint8Array, at: number, first: number) => void;
}

/** The format of tensors that are a row of such blocks. */
export function blockFormat(layout: BlockLayout): WeightFormat {
  const { name, id, blockElements, blockBytes, ternary, encodeBlock } = layout;
  const decodable: WeightFormat = {
    name,
    id,
    blockElements,
    ternary,
    tensorBytes: (elements) => (elements / blockElements) * blockBytes,
    decode(bytes, elements) {
      requireTensorBytes(decodable, bytes, elements);
      const values = new Float32Array(elements);
      for (let begin = 0, at = 0; begin < elements; begin += blockElements, at += blockBytes) {
        layout.decodeBlock(bytes, at, values.subarray(begin, begin + blockElements));
      }
      return values;
    },
  };
  if (encodeBlock === undefined) return decodable;
  return {
    ...decodable,
    encode(values) {
      requireElements(decodable, values.length);
      requireEncodable(name, values);
      const bytes = new Uint8Array(decodable.tensorBytes(values.length));
      for (let begin = 0, at = 0; begin < values.length; begin += blockElements, at += blockBytes) {
        encodeBlock(values.subarray(begin, begin + blockElements), bytes, at, begin);
      }
      return bytes;
    },
  };
}

/**
 * A block's scale, a little-endian half at `bytes[at]`.
 * @throws BitNetError FILE_CORRUPT for infinities and NaN.
 */
export function readScale(name: string, bytes: Uint8Array, at: number): number {
  const scale = float16ToNumber((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
  if (Number.isFinite(scale)) return scale;
  throw corruptBlock(name, `a scale is ${scale}`, at);
}

/** Writes a scale as the nearest half and returns that number. It is finite for values in range. */
export function writeScale(bytes: Uint8Array, at: number, scale: number): number {
  const bits = numberToFloat16(scale);
  bytes[at] = bits & 255;
  bytes[at + 1] = bits >>> 8;
  return float16ToNumber(bits);
}

export function corruptBlock(name: string, what: string, offset: number): BitNetError {
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot decode ${name}: ${what} (byte ${offset} of the tensor); the file is damaged`,
    { details: { offset } },
  );
}

function requireEncodable(name: string, values: Float32Array): void {
  // Written so that NaN fails the comparison.
  const index = values.findIndex((value) => !(Math.abs(value) <= largestValue));
  if (index < 0) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot encode ${name}: value ${values[index]} at index ${index} is not a number from −${largestValue} to ${largestValue}, the range of scales`,
    { details: { index } },
  );
}
