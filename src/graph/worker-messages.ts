import type { Model } from "../model/model.js";
import type { PackHalvesWork } from "../packing/screen.js";
import type { PassForm } from "../wasm/choose-matmul.js";
import type { WorkerRegion, WorkerStart } from "../wasm/team.js";
import type { Batch } from "./batch.js";
import type { CacheCopy } from "./copy-kv-cache.js";
import type { LayerRange } from "./forward.js";
import type { CachePlan } from "./kv-cache.js";
import type { WorkPlan } from "./work-plan.js";

/** A message from the caller's thread to a worker. */
export type WorkerMessage =
  | WorkerStart
  | WorkerRegion
  | { readonly kind: "model"; readonly model: Model }
  | { readonly kind: "work"; readonly plan: WorkPlan }
  | { readonly kind: "cache"; readonly plan: CachePlan }
  | { readonly kind: "forget"; readonly what: "work" | "cache"; readonly id: number }
  | (WorkerJob & {
      /** Number of the job, for the answer. */
      readonly job: number;
      /** Number of workers that run it: all, or 1. */
      readonly workers: number;
    });

/** Work that all workers share. */
export type WorkerJob = MeetJob | PackHalvesJob | ReadWeightsJob | CopyCacheJob | ForwardJob;

/** Ends when every worker has started and has its kernels: so the first pass does not pay for that. */
export interface MeetJob {
  readonly kind: "meet";
}

/** Packs a piece of the output head. */
export interface PackHalvesJob {
  readonly kind: "packHalves";
  readonly work: PackHalvesWork;
}

/** Reads the weights of a generated token `times` times, to measure memory bandwidth. */
export interface ReadWeightsJob {
  readonly kind: "readWeights";
  readonly times: number;
}

/** Copies part of a sequence's KV cache. */
export interface CopyCacheJob {
  readonly kind: "copyCache";
  readonly copy: CacheCopy;
}

/** Runs one pass over a batch, or the part of it in some layers. */
export interface ForwardJob {
  readonly kind: "forward";
  /** Id of the work plan. */
  readonly work: number;
  readonly batch: Batch;
  /** Its matmuls. Default: lookup tables if they work here, or the dot form that was chosen at load. */
  readonly form?: PassForm | undefined;
  /** Parts of the work of each worker, whose sum is 1. Default: equal ones. */
  readonly shares?: readonly number[] | undefined;
  /** Default: all layers. */
  readonly layers?: LayerRange | undefined;
}
