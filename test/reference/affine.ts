import { at, f32, roundHalfEven } from "./float32.js";

/** A row of codes with a scale and a minimum per group. */
export interface AffineRow {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  /** Absent in formats without minima. */
  readonly minima?: Float32Array | undefined;
}

/** One token's activations: what quantizeBlocks returns. */
export interface BlockToken {
  readonly values: Int8Array;
  /** One for each block of 32 columns. */
  readonly scales: Float32Array;
}

/** Activations as int8 in blocks of 32: the absolute maximum becomes 127, halfway cases round to even. */
export function quantizeBlocks(x: Float32Array): BlockToken {
  const blocks = Array.from({ length: x.length / 32 }, (_, b) => x.subarray(32 * b, 32 * b + 32));
  const largest = blocks.map((block) => block.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  return {
    values: Int8Array.from(x, (value, k) => {
      const factor = f32(127 / Math.max(at(largest, Math.floor(k / 32)), f32(1e-30)));
      return roundHalfEven(f32(value * factor));
    }),
    scales: Float32Array.from(largest, (most) => most / 127),
  };
}

/** The sum of a token's values in some columns. */
export const sumOf = ({ values }: BlockToken, begin: number, count: number): number =>
  values.subarray(begin, begin + count).reduce((sum, value) => sum + value, 0);

/**
 * One output. Each group adds its exact integer times both scales, minus the minimum's part. All of it
 * is f32, in order of the groups. Then the sum is multiplied by the matrix's scale.
 */
export function affineOutput(row: AffineRow, token: BlockToken, scale: number): number {
  const group = row.codes.length / row.scales.length;
  let total = 0;
  row.scales.forEach((weightScale, g) => {
    const begin = g * group;
    const tokenScale = at(token.scales, Math.floor(begin / 32));
    let sum = 0;
    for (let k = begin; k < begin + group; k += 1) sum += at(row.codes, k) * at(token.values, k);
    total = f32(total + f32(f32(weightScale * tokenScale) * sum));
    if (row.minima === undefined) return;
    const part = f32(tokenScale * sumOf(token, begin, group));
    total = f32(total - f32(at(row.minima, g) * part));
  });
  return f32(total * scale);
}

/** A token's records as affine matmuls read them (assembly/kernels/quantize-groups). */
export function blockRecords(token: BlockToken): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(token.values.length));
  token.scales.forEach((scale, b) => {
    const whole = sumOf(token, 32 * b, 32);
    for (const half of [0, 16]) {
      const begin = 32 * b + half;
      const sum = sumOf(token, begin, 16);
      bytes.setFloat32(begin, scale, true);
      bytes.setFloat32(begin + 4, scale * sum, true);
      bytes.setInt32(begin + 8, -sum, true);
      if (half === 0) bytes.setFloat32(begin + 12, scale * whole, true);
      else bytes.setInt32(begin + 12, -whole, true);
    }
  });
  return new Uint8Array(bytes.buffer);
}

/** Rows as panels of 8 hold them, filled up with zeros. @param bits 4, 6 or 8. */
export function packPanels(rows: readonly AffineRow[], bits: number): Uint8Array {
  const [first] = rows;
  if (first === undefined) return new Uint8Array(0);
  const groups = first.scales.length;
  const group = first.codes.length / groups;
  const offset = first.minima === undefined ? 2 ** (bits - 1) : 0;
  const codeBytes = bits === 4 ? group * 4 : group * 8;
  const groupBytes = codeBytes + (first.minima === undefined ? 32 : 64);
  const bytes = new Uint8Array(Math.ceil(rows.length / 8) * groups * groupBytes);
  const data = new DataView(bytes.buffer);
  rows.forEach((row, r) => {
    for (let g = 0; g < groups; g += 1) {
      const begin = (Math.floor(r / 8) * groups + g) * groupBytes;
      for (let k = 0; k < group; k += 1) {
        const code = (at(row.codes, g * group + k) + offset) & 255;
        const step = Math.floor(k / 4);
        const index = begin + (bits === 4 ? step >> 1 : step) * 32 + (r % 8) * 4 + (k % 4);
        const high = bits === 4 && step % 2 === 1;
        bytes[index] = at(bytes, index) | (high ? code << 4 : code);
      }
      data.setFloat32(begin + codeBytes + (r % 8) * 4, at(row.scales, g), true);
      if (row.minima) data.setFloat32(begin + codeBytes + 32 + (r % 8) * 4, at(row.minima, g), true);
    }
  });
  return bytes;
}
