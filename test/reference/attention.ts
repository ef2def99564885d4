import { at, roundoff } from "./float32.js";
import { dotProduct, dotProductBound } from "./float-product.js";

/** One query head of one token, and the keys and values of its visible positions, one row each. */
export interface AttentionInput {
  readonly query: Float32Array;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly scale: number;
}

/** Softmax of scale · query · key over the positions, in f64. */
export function attentionWeights({ query, keys, scale }: AttentionInput): number[] {
  const scores = keys.map((key) => dotProduct(query, key) * scale);
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Σ weight · value over the positions, in f64. */
export function attentionOutput(input: AttentionInput): number[] {
  const weights = attentionWeights(input);
  return Array.from(input.query, (_, i) =>
    input.values.reduce((sum, value, j) => sum + at(weights, j) * at(value, i), 0),
  );
}

/** Σ weight · |value|: the reference of relative errors of the weights. */
export function attentionMagnitude(input: AttentionInput): number[] {
  return attentionOutput({ ...input, values: input.values.map((value) => value.map(Math.abs)) });
}

/**
 * The maximum relative change of a weight by f32 arithmetic. A score is a sum of products (4 interleaved
 * sums), scaled, less the largest score. An error of δ in a score changes its weight, and through the total
 * every weight. The factor is at most e^2δ. The exponential is good to 3 roundoffs of 2 each. The sum of the
 * weights adds one roundoff an addition (four interleaved sums), and the normalization two roundings.
 */
export function attentionWeightBound({ query, keys, scale }: AttentionInput): number {
  const scoreErrors = keys.map((key) => {
    const score = Math.abs(dotProduct(query, key)) * scale;
    return dotProductBound(query, key, 4) * scale + 3 * roundoff * score;
  });
  return Math.expm1(2 * Math.max(...scoreErrors)) + (6 + keys.length / 4 + 4 + 2) * roundoff;
}

/**
 * The maximum change of an output by f32 arithmetic, relative to attentionMagnitude: one more rounding per
 * position.
 */
export function attentionOutputBound(input: AttentionInput): number {
  return attentionWeightBound(input) + (input.keys.length + 1) * roundoff;
}
