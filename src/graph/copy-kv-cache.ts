import { cacheFormat } from "../model/cache-format.js";
import type { Model } from "../model/model.js";
import type { CachePlan } from "./kv-cache.js";
import { type WorkerContext, share } from "./worker-context.js";

/** Positions to copy from one sequence's KV cache to another's. */
export interface CacheCopy {
  /** Ids of the two caches. */
  readonly from: number;
  readonly to: number;
  /** Positions [begin, end). Both caches have the same tokens before `begin`. */
  readonly begin: number;
  readonly end: number;
}

/**
 * Copies this worker's share: heads of layers. Keys and values depend on their token and the tokens before it
 * alone, so a copy is exact. It has whole blocks: positions of the first block before `begin` are the same in
 * both caches, and positions after `end` are written before they are read.
 */
export function copyPositions(
  worker: WorkerContext,
  { sizes, cacheType }: Pick<Model, "sizes" | "cacheType">,
  copy: Pick<CacheCopy, "begin" | "end"> & { readonly from: CachePlan; readonly to: CachePlan },
): void {
  const { from, to } = copy;
  const format = cacheFormat(cacheType, sizes);
  const begin = Math.floor(copy.begin / format.block) * format.block;
  const end = Math.ceil(copy.end / format.block) * format.block;
  const [first, last] = share(from.layers.length * sizes.kvHeads, worker);
  for (let unit = first; unit < last; unit += 1) {
    const layer = Math.floor(unit / sizes.kvHeads);
    const head = unit % sizes.kvHeads;
    for (const which of ["keys", "values"] as const) {
      const source = from.layers[layer]?.[which];
      const target = to.layers[layer]?.[which];
      // A layer's caches lie in the layer's region.
      if (source === undefined || target?.region !== source.region)
        throw new RangeError(`caches in different regions in layer ${layer}`);
      const { parts, bytes } = format[which];
      let sourcePart = source.address + head * from.cachePositions * bytes;
      let targetPart = target.address + head * to.cachePositions * bytes;
      for (const perPosition of parts) {
        const at = sourcePart + begin * perPosition;
        const length = (end - begin) * perPosition;
        worker.bytes(source.region).copyWithin(targetPart + begin * perPosition, at, at + length);
        sourcePart += from.cachePositions * perPosition;
        targetPart += to.cachePositions * perPosition;
      }
    }
  }
}
