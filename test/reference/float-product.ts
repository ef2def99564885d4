import { at, f32, roundoff } from "./float32.js";

/**
 * The distribution of eight neighbouring weights over the eight interleaved sums: two vectors of four lanes.
 */
export type SumOrder = "halves" | "even-odd";

/** Σ w·x in f64: the meaning of a float matmul. */
export function dotProduct(w: ArrayLike<number>, x: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < w.length; k += 1) sum += at(w, k) * at(x, k);
  return sum;
}

/**
 * Σ w·x in f32 in the order of assembly/kernels/matmul-float: eight interleaved sums, added up lane by lane.
 */
export function dotProductInOrder(w: ArrayLike<number>, x: ArrayLike<number>, order: SumOrder): number {
  const sums = new Float32Array(8);
  for (let k = 0; k < w.length; k += 1) {
    const index = k % 8;
    // Sums 0…3 are the first vector's lanes, 4…7 the second's.
    const sum = order === "halves" ? index : (index % 2) * 4 + Math.floor(index / 2);
    sums[sum] = at(sums, sum) + f32(at(w, k) * at(x, k));
  }
  const lane = (i: number): number => f32(at(sums, i) + at(sums, i + 4));
  return f32(f32(lane(0) + lane(2)) + f32(lane(1) + lane(3)));
}

/**
 * The maximum difference of an f32 sum of products from the exact one. Each product is rounded once. Then it
 * takes part in at most `terms / lanes` + 3 additions, and each changes it by one roundoff. The factor 1.01
 * covers the square terms.
 */
export function dotProductBound(w: ArrayLike<number>, x: ArrayLike<number>, lanes: number): number {
  let magnitude = 0;
  for (let k = 0; k < w.length; k += 1) magnitude += Math.abs(at(w, k) * at(x, k));
  return 1.01 * (w.length / lanes + 4) * roundoff * magnitude + 2 ** -149;
}
