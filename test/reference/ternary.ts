import { at, f32 } from "./float32.js";

/** Weights −1, 0, 1 in the layout ternary-rows: as in an I2_S file, without the scale behind them. */
export function packTernaryRows(weights: Int8Array): Uint8Array {
  const bytes = new Uint8Array(weights.length / 4);
  for (let k = 0; k < weights.length; k += 1) {
    const block = Math.floor(k / 128);
    const within = k % 128;
    const byte = block * 32 + (within % 32);
    bytes[byte] = at(bytes, byte) | ((at(weights, k) + 1) << (6 - 2 * Math.floor(within / 32)));
  }
  return bytes;
}

/** The weights from the codes of packTernaryRows. */
export function unpackTernaryRows(bytes: Uint8Array): Int8Array {
  return Int8Array.from({ length: bytes.length * 4 }, (_, k) => {
    const within = k % 128;
    const byte = at(bytes, Math.floor(k / 128) * 32 + (within % 32));
    return ((byte >> (6 - 2 * Math.floor(within / 32))) & 3) - 1;
  });
}

/** One token's quantized activations: the result of quantizeI8. */
export interface QuantizedToken {
  readonly values: Int8Array;
  readonly scale: number;
}

/**
 * One output of a ternary layer, in the native engine's order. Σ code·x and Σ x are exact integers. Their f32
 * difference is divided by the activations' scale and multiplied by the weights' scale.
 */
export function ternaryOutput(weights: Int8Array, row: number, token: QuantizedToken, scale: number): number {
  const { values } = token;
  let codes = 0;
  let sum = 0;
  for (let k = 0; k < values.length; k += 1) {
    const x = at(values, k);
    codes += (at(weights, row * values.length + k) + 1) * x;
    sum += x;
  }
  return f32(f32(f32(codes - sum) / token.scale) * scale);
}
