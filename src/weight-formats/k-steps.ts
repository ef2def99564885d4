import { readScale } from "./block-format.js";

const minimumAt = 2;
const factorsAt = 4;
const groups = 8;

/**
 * The scales and minimums of the eight groups of a Q4_K or Q5_K block, whose first 16 bytes are:
 *
 * | bytes | hold |
 * |---|---|
 * | 0…3 | d and m, halves |
 * | 4…7 | s of groups 0…3 in bits 5-0; bits 5-4 of s of groups 4…7 in bits 7-6 |
 * | 8…11 | t of groups 0…3 in bits 5-0; bits 5-4 of t of groups 4…7 in bits 7-6 |
 * | 12…15 | bits 3-0 of s and, in bits 7-4, of t of groups 4…7 |
 *
 * scale = d · s and minimum = m · t; both are exact in float32 (11 bits by 6).
 */
export function readSteps(
  name: string,
  bytes: Uint8Array,
  at: number,
  scales: Float32Array,
  minimums: Float32Array,
): void {
  const scale = readScale(name, bytes, at);
  const minimum = readScale(name, bytes, at + minimumAt);
  for (let group = 0; group < groups; group += 1) {
    const column = at + factorsAt + (group & 3);
    const s = bytes[column] as number;
    const t = bytes[column + 4] as number;
    const low = bytes[column + 8] as number;
    scales[group] = scale * (group < 4 ? s & 63 : ((s >>> 6) << 4) | (low & 15));
    minimums[group] = minimum * (group < 4 ? t & 63 : ((t >>> 6) << 4) | (low >>> 4));
  }
}
