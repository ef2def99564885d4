import type { MatmulKernels } from "../packing/layouts/layout.js";
import type { AttentionForm } from "../wasm/cache-types.js";
import type { Kernels } from "../wasm/kernels.js";

/** A worker's share of the team, and its kernels. */
export interface WorkerContext extends MatmulKernels {
  /** 0 … count − 1. */
  readonly index: number;
  /** Number of workers that run the job under way. */
  readonly count: number;
  /** The part of the work of each worker in the job under way. Undefined for equal parts. */
  readonly shares: readonly number[] | undefined;
  /** The form of attention over a cache of int8. */
  readonly attentionForm: AttentionForm;
  /** The kernels that run attention. */
  attentionKernels(region: number): Kernels;
  /** The bytes of a region. */
  bytes(region: number): Uint8Array;
  /** Returns when all workers have called it. @throws Error if a worker of the team has failed. */
  barrier(): void;
}

/** The facts that decide a worker's share. */
export type Sharing = Pick<WorkerContext, "index" | "count"> & Partial<Pick<WorkerContext, "shares">>;

/**
 * A worker's range [begin, end) of `count` items, in multiples of `granule`. The workers' ranges have no
 * gaps.
 */
export function share(count: number, worker: Sharing, granule = 1): [number, number] {
  const granules = Math.ceil(count / granule);
  const [begin, end] = [worker.index, worker.index + 1].map((index) =>
    Math.min(count, boundary(granules, index, worker) * granule),
  );
  return [begin ?? 0, end ?? 0];
}

/** The first of `granules` that does not belong to the workers before `index`. */
function boundary(granules: number, index: number, { count, shares }: Sharing): number {
  if (shares === undefined) return Math.floor((granules * index) / count);
  if (index === count) return granules;
  const before = shares.slice(0, index).reduce((sum, part) => sum + part, 0);
  return Math.min(granules, Math.round(granules * before));
}
