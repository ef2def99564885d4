import type { Sparsity } from "../model/model.js";

/** Decides between a dense and a sparse matmul, anew for each call. */
export interface SparseChoice {
  /** Whether `listed` of `total` rows or columns are few enough. */
  prefersSparse(listed: number, total: number): boolean;
  /** Reports the time of a dense matmul of `total` rows or columns, in ms. */
  dense(total: number, milliseconds: number): void;
  /** Reports the time of a sparse matmul of `listed` rows or columns, in ms. */
  sparse(listed: number, milliseconds: number): void;
}

/** Calls after which the other way is tried again. */
const tryAgainAfter = 64;
/** Growth of an estimate per call: so a single fast measurement does not count for ever. */
const growth = 1.01;
/** The fixed time of a sparse call, in listed rows or columns. */
const overhead = 16;

/**
 * Learns the cost of a dense and of a listed element on this thread, from the shortest times of calls. Its
 * decision changes the time of a result, never the result.
 */
export function createSparseChoice(sparsity: Sparsity): SparseChoice {
  let denseCost = 0;
  let sparseCost = 0;
  let calls = 0;
  const learn = (known: number, cost: number): number =>
    known === 0 ? cost : Math.min(known * growth, cost);
  return {
    prefersSparse(listed, total): boolean {
      if (sparsity !== "auto") return sparsity === "on";
      calls += 1;
      // The first calls alternate, so that both matmuls are measured while the JavaScript engine still
      // optimizes them.
      if (calls <= tryAgainAfter) return calls % 2 === 0;
      const sparse = sparseCost * (listed + overhead) < denseCost * total;
      return calls % tryAgainAfter === 0 ? !sparse : sparse;
    },
    dense(total, milliseconds): void {
      denseCost = learn(denseCost, milliseconds / total);
    },
    sparse(listed, milliseconds): void {
      sparseCost = learn(sparseCost, milliseconds / (listed + overhead));
    },
  };
}
