import { BitNetError } from "../errors.js";

/** The number of output rows that share a packed row, and of weights in a byte. */
const quarters = 4;

/** One of the four groups of output rows in the same bytes. Quarter 0 is in the lowest bits. */
export type HfQuarter = 0 | 1 | 2 | 3;

/**
 * Ternary matrices as the transformers library packs them into safetensors: uint8 [rows / 4, cols]. Bits 2i …
 * 2i + 1 of packed row r hold output row r + i · (rows / 4) as weight + 1. The scale is another tensor.
 *
 * Rows that share a byte lie a quarter of the matrix apart. So one pass over the packed bytes gives a quarter
 * of the output rows, both in order: `unpackHfQuarter` turns any run of packed rows into as many output rows.
 *
 * Row counts that are not multiples of 4 are refused. The format does not define them: its packer leaves
 * fields of the last quarter empty, and its unpacker returns too many rows.
 *
 * @throws BitNetError INVALID_ARGUMENT unless rows and cols are whole and not negative, and rows a multiple
 *   of 4.
 */
export function hfPackedBytes(rows: number, cols: number): number {
  const whole = Number.isSafeInteger(rows) && rows >= 0 && Number.isSafeInteger(cols) && cols >= 0;
  if (whole && rows % quarters === 0) return (rows / quarters) * cols;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `A packed checkpoint holds four output rows per packed row; ${rows} × ${cols} is no such matrix`,
    { details: { rows, cols } },
  );
}

/**
 * The weights −1, 0 and 1 of one quarter in a run of packed bytes: weights[k] comes from packed[k].
 *
 * @param packed packed rows, any number of bytes
 * @param weights as long as `packed`
 * @throws BitNetError FILE_CORRUPT for code 3, with its index in `packed` as details.offset.
 */
export function unpackHfQuarter(packed: Uint8Array, quarter: HfQuarter, weights: Int8Array): void {
  requireLength("weights", weights.length, packed.length);
  const shift = 2 * quarter;
  for (let index = 0; index < packed.length; index += 1) {
    const code = ((packed[index] as number) >>> shift) & 3;
    if (code === 3) throw corrupt(index);
    weights[index] = code - 1;
  }
}

/** A whole matrix, unpacked to the weights −1, 0 and 1 of [rows, cols]. */
export function unpackHf(packed: Uint8Array, rows: number, cols: number): Int8Array {
  const packedBytes = hfPackedBytes(rows, cols);
  requireLength("packed bytes", packed.length, packedBytes);
  const weights = new Int8Array(packedBytes * quarters);
  for (const quarter of [0, 1, 2, 3] as const) {
    unpackHfQuarter(packed, quarter, weights.subarray(quarter * packedBytes, (quarter + 1) * packedBytes));
  }
  return weights;
}

/**
 * Packs the weights of a matrix [rows, cols].
 * @throws BitNetError INVALID_ARGUMENT for a weight that is not −1, 0 or 1.
 */
export function packHf(weights: Int8Array, rows: number, cols: number): Uint8Array {
  const packedBytes = hfPackedBytes(rows, cols);
  requireLength("weights", weights.length, packedBytes * quarters);
  const packed = new Uint8Array(packedBytes);
  for (let index = 0; index < weights.length; index += 1) {
    const weight = weights[index] as number;
    if (weight < -1 || weight > 1) {
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot pack weight ${weight} at index ${index}; expected −1, 0 or 1`,
        { details: { index } },
      );
    }
    const quarter = Math.floor(index / packedBytes);
    const byteIndex = index - quarter * packedBytes;
    packed[byteIndex] = (packed[byteIndex] as number) | ((weight + 1) << (2 * quarter));
  }
  return packed;
}

function requireLength(what: string, actual: number, expected: number): void {
  if (actual === expected) return;
  throw new BitNetError("INVALID_ARGUMENT", `Expected ${expected} ${what}, got ${actual}`, {
    details: { expected, actual },
  });
}

function corrupt(offset: number): BitNetError {
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot unpack ternary weights: code 3 has no meaning (byte ${offset} of the packed rows); ` +
      "the checkpoint is damaged, or its uint8 tensors are no packed ternary weights",
    { details: { offset } },
  );
}
