import { affineFormat } from "./affine-format.js";
import { writeScale } from "./block-format.js";
import { readSteps } from "./k-steps.js";
import { clamp, nearestInt } from "./nearest-int.js";
import type { WeightFormat } from "./weight-format.js";

const blockElements = 256;
const groupElements = 32;
const groupCount = 8;
const minimumAt = 2;
const factorsAt = 4;
const codesAt = 16;
const maxCode = 15;
const maxFactor = 63;
const float32 = Math.fround;

/**
 * Scale and minimum of a group, w = scale · code − minimum: real numbers, or the 6-bit factors of a block.
 */
interface Affine {
  readonly scale: number;
  readonly minimum: number;
}

/**
 * 4.5 bits a weight: blocks of 256 with a scale and a minimum, and 6-bit factors of both for each 32; w = d ·
 * s · code − m · t.
 *
 * | bytes | hold |
 * |---|---|
 * | 0…15 | scales and factors (k-steps.ts) |
 * | 16…143 | the codes: byte j of each 32 has weight j in its low half and 32 + j in its high half, of each 64 |
 */
export const q4K: WeightFormat = affineFormat({
  name: "Q4_K",
  id: 12,
  blockElements: blockElements,
  blockBytes: 144,
  groupElements: groupElements,

  readBlock(bytes, at, { codes, scales, minimums }) {
    readSteps("Q4_K", bytes, at, scales, minimums);
    for (let index = 0; index < blockElements; index += 1) {
      const { byteIndex, shift } = placeOf(index);
      codes[index] = ((bytes[at + byteIndex] as number) >>> shift) & 15;
    }
  },

  encodeBlock(values, bytes, at) {
    const codes = new Uint8Array(blockElements);
    const groups: Affine[] = [];
    for (let group = 0; group < groupCount; group += 1) {
      groups.push(bestAffine(ofGroup(values, group), ofGroup(codes, group)));
    }
    const maxScale = Math.max(0, ...groups.map(({ scale }) => scale));
    const maxMinimum = Math.max(0, ...groups.map(({ minimum }) => minimum));
    writeScale(bytes, at, float32(maxScale / maxFactor));
    writeScale(bytes, at + minimumAt, float32(maxMinimum / maxFactor));
    writeFactors(bytes, at + factorsAt, groups, maxScale, maxMinimum);

    // Once more with the steps that a reader will see.
    const [scales, minimums] = [new Float32Array(groupCount), new Float32Array(groupCount)];
    readSteps("Q4_K", bytes, at, scales, minimums);
    scales.forEach((scale, group) => {
      if (scale === 0) return;
      const minimum = minimums[group] as number;
      const groupCodes = ofGroup(codes, group);
      ofGroup(values, group).forEach((value, index) => {
        groupCodes[index] = toCode(float32(float32(value + minimum) / scale));
      });
    });
    codes.forEach((code, index) => {
      const { byteIndex, shift } = placeOf(index);
      bytes[at + byteIndex] = (bytes[at + byteIndex] as number) | (code << shift);
    });
  },
});

function placeOf(index: number): { readonly byteIndex: number; readonly shift: number } {
  return { byteIndex: codesAt + (index >>> 6) * 32 + (index & 31), shift: 4 * ((index >>> 5) & 1) };
}

function ofGroup<T extends Float32Array | Uint8Array>(array: T, group: number): T {
  return array.subarray(group * groupElements, (group + 1) * groupElements) as T;
}

function toCode(ratio: number): number {
  return clamp(nearestInt(ratio), 0, maxCode);
}

function writeFactors(
  bytes: Uint8Array,
  at: number,
  groups: readonly Affine[],
  maxScale: number,
  maxMinimum: number,
): void {
  const perScale = maxScale > 0 ? float32(maxFactor / maxScale) : 0;
  const perMinimum = maxMinimum > 0 ? float32(maxFactor / maxMinimum) : 0;
  groups.forEach(({ scale, minimum }, group) => {
    const column = group & 3;
    const s = toFactor(float32(perScale * scale));
    const t = toFactor(float32(perMinimum * minimum));
    if (group < 4) {
      bytes[at + column] = s;
      bytes[at + 4 + column] = t;
      return;
    }
    bytes[at + column] = (bytes[at + column] as number) | ((s >>> 4) << 6);
    bytes[at + 4 + column] = (bytes[at + 4 + column] as number) | ((t >>> 4) << 6);
    bytes[at + 8 + column] = (s & 15) | ((t & 15) << 4);
  });
}

function toFactor(ratio: number): number {
  return Math.min(maxFactor, nearestInt(ratio) & 255);
}

/**
 * The scale and minimum that fit a group best, and its codes. Candidates are the group's own range and 21
 * slightly narrower or wider ranges, from the best minimum so far. Least squares gives scale and minimum for
 * the codes of each. The smallest error wins; larger weights weigh more. This is the reference's search, in
 * float32 and in its order of operations without fused multiply-adds, so the bytes are the same.
 */
function bestAffine(values: Float32Array, codes: Uint8Array): Affine {
  const weights = weightsOf(values);
  // The range includes zero: a minimum is never above it.
  const min = Math.min(0, ...values);
  const max = Math.max(...values);
  if (max === min) return { scale: 0, minimum: 0 - min };

  const sums = { w: weights[0] as number, x: float32((weights[0] as number) * (values[0] as number)) };
  for (let index = 1; index < groupElements; index += 1) {
    const weight = weights[index] as number;
    sums.w = float32(sums.w + weight);
    sums.x = float32(sums.x + float32(weight * (values[index] as number)));
  }
  const inverse = float32(maxCode / float32(max - min));
  let scale = float32(1 / inverse);
  let minimum = min;
  quantize(values, inverse, min, codes);
  let bestError = errorOf(values, weights, codes, scale, minimum);

  const trial = new Uint8Array(groupElements);
  for (let step = 0; step <= 20; step += 1) {
    const stretched = float32(float32(float32(float32(0.1) * step) - 1) + maxCode);
    quantize(values, float32(stretched / float32(max - minimum)), minimum, trial);
    const fit = leastSquares(values, weights, trial, sums);
    if (fit === undefined) continue;
    const error = errorOf(values, weights, trial, fit.scale, fit.minimum);
    if (!(error < bestError)) continue;
    codes.set(trial);
    bestError = error;
    ({ scale, minimum } = fit);
  }
  return { scale, minimum: 0 - minimum };
}

function weightsOf(values: Float32Array): Float32Array {
  const sumOfSquares = values.reduce((sum, value) => float32(sum + float32(value * value)), 0);
  const deviation = float32(Math.sqrt(float32(sumOfSquares / groupElements)));
  return values.map((value) => deviation + Math.abs(value));
}

function quantize(values: Float32Array, inverse: number, min: number, codes: Uint8Array): void {
  for (let index = 0; index < groupElements; index += 1) {
    codes[index] = toCode(float32(inverse * float32((values[index] as number) - min)));
  }
}

function errorOf(
  values: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  scale: number,
  minimum: number,
): number {
  let error = 0;
  for (let index = 0; index < groupElements; index += 1) {
    const guess = float32(float32(scale * (codes[index] as number)) + minimum);
    const difference = float32(guess - (values[index] as number));
    error = float32(error + float32((weights[index] as number) * float32(difference * difference)));
  }
  return error;
}

/** Scale and minimum, at most 0, for given codes. Undefined for equal codes, which do not determine them. */
function leastSquares(
  values: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  sums: { readonly w: number; readonly x: number },
): Affine | undefined {
  let sumL = 0;
  let sumL2 = 0;
  let sumXL = 0;
  for (let index = 0; index < groupElements; index += 1) {
    const code = codes[index] as number;
    const weighted = float32((weights[index] as number) * code);
    sumL = float32(sumL + weighted);
    sumL2 = float32(sumL2 + float32(weighted * code));
    sumXL = float32(sumXL + float32(weighted * (values[index] as number)));
  }
  const determinant = float32(float32(sums.w * sumL2) - float32(sumL * sumL));
  if (!(determinant > 0)) return undefined;
  const minimum = float32(float32(float32(sumL2 * sums.x) - float32(sumL * sumXL)) / determinant);
  if (minimum > 0) return { scale: float32(sumXL / sumL2), minimum: 0 };
  const scale = float32(float32(float32(sums.w * sumXL) - float32(sums.x * sumL)) / determinant);
  return { scale, minimum };
}
