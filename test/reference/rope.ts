import { at, f32 } from "./float32.js";

export interface RopeAngles {
  readonly dimensions: number;
  readonly base: number;
  /** The factor of positions: 1, or less for an extended context. */
  readonly scale?: number;
  /** The factor of cosines and sines. */
  readonly magnitude?: number;
  /** The divisors of frequencies, one for each pair. */
  readonly factors?: Float32Array;
  readonly yarn?: Yarn;
}

/** YaRN (Peng et al., 2023) with the parameters that GGUF files carry. */
export interface Yarn {
  readonly originalContext: number;
  /**
   * Pairs with more rotations than this in the original context keep their frequency, to the extent of
   * `extrapolation`.
   */
  readonly betaFast: number;
  /** Pairs with fewer rotations use the whole scale. */
  readonly betaSlow: number;
  readonly extrapolation: number;
}

/**
 * The share of its own frequency that pair i keeps. It is 1 up to the pair with betaFast rotations, 0 from
 * the pair with betaSlow rotations, and linear between them. Both limits round outwards to whole pairs
 * (ggml's rope_yarn_corr_dims and rope_yarn_ramp).
 */
export function yarnShare(pair: number, dimensions: number, base: number, yarn: Yarn): number {
  const pairOf = (turns: number): number =>
    (dimensions * Math.log(yarn.originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(0, Math.floor(pairOf(yarn.betaFast)));
  const high = Math.min(dimensions - 1, Math.ceil(pairOf(yarn.betaSlow)));
  const along = (pair - low) / Math.max(0.001, high - low);
  return (1 - Math.min(1, Math.max(0, along))) * yarn.extrapolation;
}

/** The growth of each pair's angle from one position to the next, in f64. */
export function ropeFrequencies({ dimensions, base, scale = 1, factors, yarn }: RopeAngles): number[] {
  return Array.from({ length: dimensions / 2 }, (_, i) => {
    const own = base ** ((-2 * i) / dimensions) / (factors ? at(factors, i) : 1);
    const kept = yarn === undefined ? 0 : yarnShare(i, dimensions, base, yarn);
    return own * kept + own * scale * (1 - kept);
  });
}

/**
 * Cosine and sine of each pair's angle at a position, in f64: [dimensions / 2] cosines, then as many sines.
 */
export function ropeAngles(position: number, options: RopeAngles): number[] {
  const { magnitude = 1 } = options;
  const angles = ropeFrequencies(options).map((frequency) => position * frequency);
  return [...angles.map((a) => Math.cos(a) * magnitude), ...angles.map((a) => Math.sin(a) * magnitude)];
}

export type RopePairing = "halves" | "adjacent";

/**
 * One head rotated by a table's row. Each element takes two products and a sum, each rounded. Unpaired
 * elements are copied.
 */
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
