import type { Memories, Location } from "../wasm/memory.js";
import { cacheLength, cacheFormat, type HeadLayout } from "../model/cache-format.js";
import type { Model } from "../model/model.js";

/** Where the keys and values of one sequence lie. Plain data for every worker. */
export interface CachePlan {
  readonly id: number;
  /** Positions of the longest sequence that it holds. */
  readonly contextLength: number;
  /** Positions that it has room for: whole blocks of the cache's format. */
  readonly cachePositions: number;
  /** For each layer, in the layer's region. */
  readonly layers: readonly KvCache[];
}

/** One layer's keys and values, head by head in the layouts of the cache's format. */
export interface KvCache {
  readonly keys: Location;
  readonly values: Location;
}

/**
 * Allocates the caches of a sequence.
 *
 * @param options.contextLength positions, at least 1.
 * @throws BitNetError OUT_OF_MEMORY if it does not fit; nothing stays allocated then.
 */
export function allocateCache(
  memories: Memories,
  model: Model,
  options: { readonly id: number; readonly contextLength: number },
): CachePlan {
  const { id, contextLength } = options;
  const format = cacheFormat(model.cacheType, model.sizes);
  const cachePositions = cacheLength(format, contextLength);
  const taken: Location[] = [];
  const take = (region: number, { bytes }: HeadLayout): Location => {
    const location = {
      region,
      address: memories.allocate(
        region,
        model.sizes.kvHeads * cachePositions * bytes,
        `a KV cache of ${contextLength} tokens`,
      ),
    };
    taken.push(location);
    return location;
  };
  try {
    const layers = model.layers.map(({ region }) => ({
      keys: take(region, format.keys),
      values: take(region, format.values),
    }));
    return { id, contextLength, cachePositions, layers };
  } catch (error) {
    for (const location of taken) memories.free(location.region, location.address);
    throw error;
  }
}

/** Frees everything that a plan holds. */
export function freeCache(memories: Memories, plan: CachePlan): void {
  for (const { keys, values } of plan.layers) {
    for (const location of [keys, values]) memories.free(location.region, location.address);
  }
}
