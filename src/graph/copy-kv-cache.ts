import type { ModelSizes } from "../architectures/index.js";
import type { CachePlan } from "./kv-cache.js";
import { paddedHeadSize } from "../model/context-length.js";
import { type WorkerContext, share } from "./worker-context.js";

/** Positions to copy from one sequence's KV cache to another's. */
export interface CacheCopy {
  /** Ids of the two caches. */
  readonly from: number;
  readonly to: number;
  /** Positions [begin, end). */
  readonly begin: number;
  readonly end: number;
}

/**
 * Copies this worker's share: heads of layers. Keys and values depend on their token and the tokens before it
 * alone, so a copy is exact.
 */
export function copyPositions(
  worker: WorkerContext,
  sizes: ModelSizes,
  copy: Pick<CacheCopy, "begin" | "end"> & { readonly from: CachePlan; readonly to: CachePlan },
): void {
  const { from, to, begin, end } = copy;
  const { kvHeads } = sizes;
  const rowBytes = paddedHeadSize(sizes) * 2;
  const [first, last] = share(from.layers.length * kvHeads, worker);
  for (let unit = first; unit < last; unit += 1) {
    const layer = Math.floor(unit / kvHeads);
    const head = unit % kvHeads;
    for (const part of ["keys", "values"] as const) {
      const source = from.layers[layer]?.[part];
      const target = to.layers[layer]?.[part];
      // A layer's caches lie in the layer's region.
      if (source === undefined || target?.region !== source.region)
        throw new RangeError(`caches in different regions in layer ${layer}`);
      const at = source.address + (head * from.contextLength + begin) * rowBytes;
      const length = (end - begin) * rowBytes;
      const dest = target.address + (head * to.contextLength + begin) * rowBytes;
      worker.bytes(source.region).copyWithin(dest, at, at + length);
    }
  }
}
