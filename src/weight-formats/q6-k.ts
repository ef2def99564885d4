import { affineFormat } from "./affine-format.js";
import { readScale, writeScale } from "./block-format.js";
import { clamp, nearestInt } from "./nearest-int.js";
import type { WeightFormat } from "./weight-format.js";

const blockElements = 256;
const groupElements = 16;
const groupCount = 16;
const highBitsAt = 128;
const groupScalesAt = 192;
const scaleAt = 208;
/** Codes are 0…63, for −32…31. */
const half = 32;
/** Smaller magnitudes count as zero: the reference's bound. */
const smallest = Math.fround(1e-15);
/** Steps around code −32 for the longest value, in tenths. */
const steps = [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const float32 = Math.fround;

/**
 * 6.5625 bits a weight: blocks of 256 with a scale, and a signed byte that scales each 16; w = d · g · (code
 * − 32).
 *
 * | bytes | hold |
 * |---|---|
 * | 0…127 | bits 3-0 of the codes. Byte j of each 64 has weight j in its low half and weight 64 + j in its high half, of each 128 |
 * | 128…191 | bits 5-4. Byte j of each 32 has weight j in bits 1-0, 32 + j in 3-2, 64 + j in 5-4, 96 + j in 7-6, of each 128 |
 * | 192…207 | g of each 16 weights |
 * | 208, 209 | d, a half |
 */
export const q6K: WeightFormat = affineFormat({
  name: "Q6_K",
  id: 14,
  blockElements: blockElements,
  blockBytes: 210,
  groupElements: groupElements,

  readBlock(bytes, at, { codes, scales }) {
    const scale = readScale("Q6_K", bytes, at + scaleAt);
    for (let group = 0; group < groupCount; group += 1) {
      // Exact in float32: 11 bits by 7.
      scales[group] = scale * (((bytes[at + groupScalesAt + group] as number) << 24) >> 24);
    }
    for (let index = 0; index < blockElements; index += 1) {
      const { lowIndex, lowShift, highIndex, highShift } = placeOf(index);
      const low = ((bytes[at + lowIndex] as number) >>> lowShift) & 15;
      const high = ((bytes[at + highIndex] as number) >>> highShift) & 3;
      codes[index] = (high << 4) + low - half;
    }
  },

  encodeBlock(values, bytes, at) {
    const codes = new Uint8Array(blockElements);
    const groupScales: number[] = [];
    for (let group = 0; group < groupCount; group += 1) {
      groupScales.push(bestScale(ofGroup(values, group), ofGroup(codes, group)));
    }
    const extreme = groupScales.reduce((max, scale) => (Math.abs(scale) > Math.abs(max) ? scale : max), 0);
    // All bytes zero, like the reference: codes −32 with scale 0.
    if (Math.abs(extreme) < smallest) return;

    const inverse = float32(-128 / extreme);
    const scale = writeScale(bytes, at + scaleAt, float32(1 / inverse));
    groupScales.forEach((groupScale, group) => {
      const factor = Math.min(127, nearestInt(float32(inverse * groupScale)));
      bytes[at + groupScalesAt + group] = factor;
      const step = float32(scale * factor);
      if (step === 0) return;
      const groupCodes = ofGroup(codes, group);
      ofGroup(values, group).forEach((value, index) => {
        groupCodes[index] = toCode(float32(value / step));
      });
    });
    codes.forEach((code, index) => {
      const { lowIndex, lowShift, highIndex, highShift } = placeOf(index);
      bytes[at + lowIndex] = (bytes[at + lowIndex] as number) | ((code & 15) << lowShift);
      bytes[at + highIndex] = (bytes[at + highIndex] as number) | ((code >>> 4) << highShift);
    });
  },
});

/** Offsets of the low and high bits of a weight's code in its block. */
function placeOf(index: number): {
  readonly lowIndex: number;
  readonly lowShift: number;
  readonly highIndex: number;
  readonly highShift: number;
} {
  const part = index >>> 7;
  const inPart = index & 127;
  return {
    lowIndex: part * 64 + (inPart & 63),
    lowShift: 4 * (inPart >>> 6),
    highIndex: highBitsAt + part * 32 + (inPart & 31),
    highShift: 2 * (inPart >>> 5),
  };
}

function ofGroup<T extends Float32Array | Uint8Array>(array: T, group: number): T {
  return array.subarray(group * groupElements, (group + 1) * groupElements) as T;
}

function toCode(ratio: number): number {
  return clamp(nearestInt(ratio), -half, half - 1) + half;
}

/**
 * The scale that fits a group best, and its codes. Candidates are 19 steps around extreme / −32. Least
 * squares gives the scale for the codes of each. The smallest error, weighted by x², wins. This is the
 * reference's search, in float32 and in its order of operations without fused multiply-adds, so the bytes are
 * the same.
 */
function bestScale(values: Float32Array, codes: Uint8Array): number {
  const extreme = values.reduce((max, value) => (Math.abs(value) > Math.abs(max) ? value : max), 0);
  if (Math.abs(extreme) < smallest) return 0;

  let scale = 0;
  let best = 0;
  // The middle comes first: of equal candidates, the first wins.
  for (const step of steps) {
    const inverse = float32(-float32(half + float32(float32(0.1) * step)) / extreme);
    let sumLX = 0;
    let sumL2 = 0;
    for (let index = 0; index < groupElements; index += 1) {
      const value = values[index] as number;
      const level = toCode(float32(inverse * value)) - half;
      const weight = float32(value * value);
      sumLX = float32(sumLX + float32(float32(weight * value) * level));
      sumL2 = float32(sumL2 + float32(float32(weight * level) * level));
    }
    const better = step === 0 || (sumL2 > 0 && float32(sumLX * sumLX) > float32(best * sumL2));
    if (!better) continue;
    scale = sumL2 === 0 ? 0 : float32(sumLX / sumL2);
    best = float32(scale * sumLX);
    for (let index = 0; index < groupElements; index += 1) {
      codes[index] = toCode(float32(inverse * (values[index] as number)));
    }
  }
  return scale;
}
