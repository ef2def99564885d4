// Keys and values in a cache of int8, and attention over them: the definition in docs/NUMERICS.md, step by
// step, each step rounded to f32.
import { at, f32, roundHalfEven } from "./float32.js";

const group = 32;
const block = 128;
const log2E = f32(1.44269504);
const smallest = f32(1e-30);

/** Codes and the scales of their groups. */
export interface Rounded {
  readonly codes: readonly number[];
  readonly scales: readonly number[];
}

/** @param most the largest code. @param size elements that share a scale. */
function round(x: Float32Array, most: number, size: number): Rounded {
  const codes: number[] = [];
  const scales: number[] = [];
  for (let begin = 0; begin < x.length; begin += size) {
    const part = x.subarray(begin, begin + size);
    const largest = part.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const factor = f32(most / Math.max(largest, smallest));
    scales.push(f32(largest / most));
    for (const value of part) codes.push(roundHalfEven(f32(value * factor)));
  }
  return { codes, scales };
}

export function roundKey(key: Float32Array): Rounded {
  return round(key, 63, group);
}

export function roundValue(value: Float32Array): Rounded {
  return round(value, 127, value.length);
}

/** The numbers that codes stand for. */
export function numbersOf({ codes, scales }: Rounded): Float32Array {
  const size = scales.length === 1 ? codes.length : group;
  return Float32Array.from(codes, (code, k) => code * at(scales, Math.floor(k / size)));
}

/** A query's codes as numbers: the query that attention really uses. */
export function roundedQuery(query: Float32Array): Float32Array {
  return numbersOf(round(query, 127, group));
}

/** Byte offsets within the caches of one head of `cachePositions` positions. */
export function int8Layout(
  headSize: number,
  cachePositions: number,
): {
  readonly keyBytes: number;
  readonly valueBytes: number;
  keyCode(position: number, k: number): number;
  keyScale(position: number, groupIndex: number): number;
  valueCode(position: number, k: number): number;
  valueScale(position: number): number;
} {
  const groups = Math.ceil(headSize / group);
  return {
    keyBytes: cachePositions * (headSize + 4 * groups),
    valueBytes: cachePositions * (headSize + 4),
    keyCode: (position, k) =>
      Math.floor(position / 16) * 16 * headSize + Math.floor(k / 4) * 64 + (position % 16) * 4 + (k % 4),
    keyScale: (position, groupIndex) =>
      cachePositions * headSize +
      (Math.floor(position / 16) * groups * 16 + groupIndex * 16 + (position % 16)) * 4,
    valueCode: (position, k) => {
      const strip = Math.floor(k / 16);
      const cols = Math.min(16, headSize - strip * 16);
      const inBlock = position % block;
      return (
        (position - inBlock) * headSize +
        strip * 16 * block +
        (Math.floor(inBlock / 4) * cols + (k % 16)) * 4 +
        (inBlock % 4)
      );
    },
    valueScale: (position) => cachePositions * headSize + position * 4,
  };
}

const exp2Coefficients = [
  9.570102207362652e-3, 5.591785907745361e-2, 2.40247443318367e-1, 6.931217908859253e-1,
];

/** 2ˣ for x ≤ 0, by the polynomial of the kernel. */
export function exp2(x: number): number {
  const clamped = Math.max(x, -125);
  const n = roundHalfEven(clamped);
  const r = f32(clamped - n);
  const p = [...exp2Coefficients.slice(1), 9.999992847442627e-1].reduce(
    (sum, coefficient) => f32(f32(sum * r) + f32(coefficient)),
    f32(at(exp2Coefficients, 0)),
  );
  return p * 2 ** n;
}

/** (lane 0 + lane 2) + (lane 1 + lane 3) of eight lanes, added up by fours before. */
function sumLanes(lanes: readonly number[]): number {
  const four = [0, 1, 2, 3].map((lane) => f32(at(lanes, lane) + at(lanes, lane + 4)));
  return f32(f32(at(four, 0) + at(four, 2)) + f32(at(four, 1) + at(four, 3)));
}

/**
 * Attention of one query over positions first … first + keys.length − 1. Every f32 operation is rounded as in
 * the kernels, so that results have the same bits.
 */
export function int8Attention(
  query: Float32Array,
  keys: readonly Rounded[],
  values: readonly Rounded[],
  { first, scale }: { readonly first: number; readonly scale: number },
): Float32Array {
  const factor = f32(scale * log2E);
  const { codes, scales } = round(query, 127, group);
  const units = scales.map((unit) => f32(unit * factor));
  const scores = keys.map((key) => {
    let score = 0;
    units.forEach((unit, g) => {
      let sum = 0;
      for (let k = g * group; k < Math.min(codes.length, (g + 1) * group); k += 1)
        sum += at(codes, k) * at(key.codes, k);
      const part = f32(sum * f32(at(key.scales, g) * unit));
      score = g === 0 ? part : f32(score + part);
    });
    return score;
  });
  const largestScore = Math.max(...scores);
  const out = new Float32Array(query.length);
  let total = 0;
  const end = first + keys.length;
  for (let begin = first - (first % block); begin < end; begin += block) {
    const lanes = new Array<number>(8).fill(0);
    const weights: number[] = [];
    const seen: Rounded[] = [];
    for (let position = Math.max(begin, first); position < Math.min(begin + block, end); position += 1) {
      const weight = exp2(f32(at(scores, position - first) - largestScore));
      const lane = (position - begin) % 8;
      lanes[lane] = f32(at(lanes, lane) + weight);
      const value = values[position - first];
      if (value === undefined) throw new RangeError("as many values as keys");
      weights.push(f32(weight * at(value.scales, 0)));
      seen.push(value);
    }
    total = f32(total + sumLanes(lanes));
    const largest = Math.max(...weights, 0);
    const toCode = f32(16383 / Math.max(largest, smallest));
    const rounded = weights.map((weight) => roundHalfEven(f32(weight * toCode)));
    const unit = f32(largest / 16383);
    for (let k = 0; k < out.length; k += 1) {
      const sum = seen.reduce((all, value, j) => all + at(rounded, j) * at(value.codes, k), 0);
      out[k] = f32(at(out, k) + f32(f32(sum) * unit));
    }
  }
  const inverse = f32(1 / total);
  return out.map((value) => f32(value * inverse));
}
