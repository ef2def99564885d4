import { at, f32, roundHalfEven } from "./float32.js";
import { packTernaryRows, unpackTernaryRows } from "./ternary.js";

/** Weights −1, 0, 1 and 2 times a scale per group of a row. */
export interface GroupedRow {
  readonly weights: Int8Array;
  /** One scale for each group in the row's whole blocks of 128. */
  readonly scales: Float32Array;
}

/** One token's activations: the result of quantizeGroups. */
export interface GroupedToken {
  /** Padded with zeros to whole blocks of 128. */
  readonly values: Int8Array;
  readonly scales: Float32Array;
  readonly sums: Int32Array;
}

/** Columns of whole blocks of 128. */
export const wholeBlocks = (cols: number): number => Math.ceil(cols / 128) * 128;

/** The number of groups in a row, including the padding to whole blocks. */
export const groupsOf = (cols: number, groupSize: number): number => wholeBlocks(cols) / groupSize;

/**
 * One token's activations as int8 with a scale for each group. The absolute maximum becomes 127, and halfway
 * cases round to even.
 */
export function quantizeGroups(x: Float32Array, groupSize: number): GroupedToken {
  const values = new Int8Array(wholeBlocks(x.length));
  const groups = Array.from({ length: groupsOf(x.length, groupSize) }, (_, g) =>
    x.subarray(g * groupSize, (g + 1) * groupSize),
  );
  const largest = groups.map((group) => group.reduce((max, value) => Math.max(max, Math.abs(value)), 0));
  x.forEach((value, k) => {
    const factor = f32(127 / Math.max(at(largest, Math.floor(k / groupSize)), f32(1e-30)));
    values[k] = roundHalfEven(f32(value * factor));
  });
  return {
    values,
    scales: Float32Array.from(largest, (max) => max / 127),
    sums: Int32Array.from(groups, (_, g) =>
      values.subarray(g * groupSize, (g + 1) * groupSize).reduce((sum, value) => sum + value, 0),
    ),
  };
}

/**
 * One output. For each group, an exact integer times the product of the two scales is added to one of four
 * f32 sums, by the group's number modulo 4. The total of the four is multiplied by the matrix's own scale.
 */
export function groupedOutput(
  row: GroupedRow,
  token: GroupedToken,
  groupSize: number,
  scale: number,
): number {
  const series = [0, 0, 0, 0];
  row.scales.forEach((weightScale, g) => {
    let sum = 0;
    for (let k = g * groupSize; k < Math.min((g + 1) * groupSize, row.weights.length); k += 1)
      sum += at(row.weights, k) * at(token.values, k);
    const product = f32(weightScale * at(token.scales, g));
    series[g % 4] = f32(at(series, g % 4) + f32(product * sum));
  });
  const [a, b, c, d] = series as [number, number, number, number];
  return f32(f32(f32(a + c) + f32(b + d)) * scale);
}

/** A row's codes in the layout ternary-groups: ternary-rows, padded with zero weights. */
export function packGroupedCodes(weights: Int8Array): Uint8Array {
  const whole = new Int8Array(wholeBlocks(weights.length));
  whole.set(weights);
  return packTernaryRows(whole);
}

/** The weights from the codes of packGroupedCodes. */
export function unpackGroupedCodes(codes: Uint8Array, cols: number): Int8Array {
  return unpackTernaryRows(codes).subarray(0, cols);
}

/** A number for each group of a row in the layout: padded with zeros to whole vectors of four. */
export function packGroupNumbers<T extends Float32Array | Int32Array>(numbers: T): T {
  const whole = new (numbers.constructor as new (length: number) => T)(Math.ceil(numbers.length / 4) * 4);
  whole.set(numbers);
  return whole;
}
