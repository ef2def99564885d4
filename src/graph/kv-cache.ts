import type { Memories, Place } from "../wasm/memory.js";
import { paddedHeadSize } from "../model/context-length.js";
import type { Model } from "../model/model.js";

/** Where the keys and values of one sequence lie: plain data that every thread of the team gets a copy of. */
export interface CachePlan {
  readonly id: number;
  /** Positions that it holds. */
  readonly contextLength: number;
  /** Of each layer, in its region: [kvHeads][contextLength][padded head size] IEEE halves each. */
  readonly layers: readonly KvCache[];
}

export interface KvCache {
  readonly keys: Place;
  readonly values: Place;
}

/**
 * Takes memory for a sequence.
 *
 * @throws BitNetError OUT_OF_MEMORY if it does not fit; nothing stays taken then.
 */
export function allocateCache(
  memories: Memories,
  model: Model,
  { id, contextLength }: { readonly id: number; readonly contextLength: number },
): CachePlan {
  const bytes = model.sizes.kvHeads * contextLength * paddedHeadSize(model.sizes) * 2;
  const taken: Place[] = [];
  const take = (region: number): Place => {
    const place = {
      region,
      address: memories.allocate(region, bytes, `a KV cache of ${contextLength} tokens`),
    };
    taken.push(place);
    return place;
  };
  try {
    const layers = model.layers.map(({ region }) => ({ keys: take(region), values: take(region) }));
    return { id, contextLength, layers };
  } catch (error) {
    for (const place of taken) memories.free(place.region, place.address);
    throw error;
  }
}

/** Gives back everything that a plan holds. */
export function freeCache(memories: Memories, plan: CachePlan): void {
  for (const { keys, values } of plan.layers) {
    for (const place of [keys, values]) memories.free(place.region, place.address);
  }
}
