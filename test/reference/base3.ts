import { at } from "./float32.js";

/** Bytes of a row in base 3: blocks of 160 weights in 32 bytes. */
export const base3RowBytes = (cols: number): number => Math.ceil(cols / 160) * 32;

/** A byte of five digits, highest first: the fraction n / 243 in 256ths, rounded up, less 128. */
export function base3Byte(digits: readonly number[]): number {
  const number = digits.reduce((sum, digit) => 3 * sum + digit, 0);
  return (Math.ceil((number * 256) / 243) + 128) % 256;
}

/** The five digits of a byte, highest first. */
export function base3Digits(byte: number): readonly number[] {
  let fraction = (byte + 128) % 256;
  return Array.from({ length: 5 }, () => {
    const tripled = fraction * 3;
    fraction = tripled % 256;
    return Math.floor(tripled / 256);
  });
}

/** A row of weights −1, 0, 1 in the layout base3-rows, filled up with digits of 0. */
export function packBase3Row(weights: Int8Array): Uint8Array {
  return Uint8Array.from({ length: base3RowBytes(weights.length) }, (_, byte) => {
    const first = Math.floor(byte / 32) * 160 + (byte % 32);
    return base3Byte([0, 1, 2, 3, 4].map((plane) => (weights[first + 32 * plane] ?? -1) + 1));
  });
}

/** The weights of a row; the filling counts as −1. */
export function unpackBase3Row(bytes: Uint8Array): Int8Array {
  return Int8Array.from({ length: bytes.length * 5 }, (_, k) => {
    const inBlock = k % 160;
    const byte = at(bytes, Math.floor(k / 160) * 32 + (inBlock % 32));
    return (base3Digits(byte)[Math.floor(inBlock / 32)] ?? NaN) - 1;
  });
}
