import { at, f32 } from "./float32.js";

export interface RopeAngles {
  readonly dimensions: number;
  readonly base: number;
  /** What positions are multiplied by: 1, or less where a longer context is squeezed in. */
  readonly scale?: number;
  /** What cosines and sines are multiplied by. */
  readonly magnitude?: number;
  /** What frequencies are divided by, one for each pair. */
  readonly factors?: Float32Array;
}

/** Cosine and sine of each pair's angle at a position, in f64: [dimensions / 2] cosines, then as many sines. */
export function ropeAngles(position: number, options: RopeAngles): number[] {
  const { dimensions, base, scale = 1, magnitude = 1, factors } = options;
  const angles = Array.from({ length: dimensions / 2 }, (_, i) => {
    const frequency = (base ** ((-2 * i) / dimensions) * scale) / (factors ? at(factors, i) : 1);
    return position * frequency;
  });
  return [...angles.map((a) => Math.cos(a) * magnitude), ...angles.map((a) => Math.sin(a) * magnitude)];
}

export type RopePairing = "halves" | "adjacent";

/** One head turned by a table's row: two products and a sum for each element, each rounded; what is not paired is copied. */
export function rotateHead(
  head: Float32Array,
  table: ArrayLike<number>,
  dimensions: number,
  pairing: RopePairing,
): Float32Array {
  const turned = head.slice();
  const half = dimensions / 2;
  for (let i = 0; i < half; i += 1) {
    const first = pairing === "halves" ? i : 2 * i;
    const second = pairing === "halves" ? i + half : 2 * i + 1;
    const [a, b] = [at(head, first), at(head, second)];
    const [cos, sin] = [at(table, i), at(table, half + i)];
    turned[first] = f32(a * cos) - f32(b * sin);
    turned[second] = f32(a * sin) + f32(b * cos);
  }
  return turned;
}
