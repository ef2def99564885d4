import type { MatmulKernels } from "../packing/layouts/layout.js";
import type { Kernels } from "../wasm/kernels.js";

/** A worker's share of the team, and its kernels. */
export interface WorkerContext extends MatmulKernels {
  /** 0 … count − 1. */
  readonly index: number;
  /** Number of workers that run the job under way. */
  readonly count: number;
  /** The kernels that run attention. */
  attentionKernels(region: number): Kernels;
  /** The bytes of a region. */
  bytes(region: number): Uint8Array;
  /** Returns when all workers have called it. @throws Error if a worker of the team has failed. */
  barrier(): void;
}

/**
 * A worker's range [begin, end) of `count` items, in multiples of `granule`. The workers' ranges have no
 * gaps.
 */
export function share(
  count: number,
  worker: { readonly index: number; readonly count: number },
  granule = 1,
): [number, number] {
  const granules = Math.ceil(count / granule);
  const begin = Math.floor((granules * worker.index) / worker.count) * granule;
  const end = Math.floor((granules * (worker.index + 1)) / worker.count) * granule;
  return [Math.min(begin, count), Math.min(end, count)];
}
