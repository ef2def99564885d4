import type { ModelSizes } from "../architectures/index.js";
import type { CachePlan } from "./kv-cache.js";
import { paddedHeadSize } from "../model/context-length.js";
import { type Member, share } from "./worker-context.js";

/** Positions of a sequence that another sequence's cache is to have, too. */
export interface CacheCopy {
  /** Ids of the two caches. */
  readonly from: number;
  readonly to: number;
  /** Positions [begin, end). */
  readonly begin: number;
  readonly end: number;
}

/** This member's share of a copy: heads of layers. A key or value is what its token and those before it make it, so it may be copied. */
export function copyPositions(
  member: Member,
  sizes: ModelSizes,
  from: CachePlan,
  to: CachePlan,
  { begin, end }: CacheCopy,
): void {
  const { kvHeads } = sizes;
  const rowBytes = paddedHeadSize(sizes) * 2;
  const [first, last] = share(from.layers.length * kvHeads, member);
  for (let unit = first; unit < last; unit += 1) {
    const layer = Math.floor(unit / kvHeads);
    const head = unit % kvHeads;
    for (const part of ["keys", "values"] as const) {
      const source = from.layers[layer]?.[part];
      const target = to.layers[layer]?.[part];
      // A layer's caches lie in the layer's memory.
      if (source === undefined || target?.region !== source.region)
        throw new RangeError(`caches that differ in layer ${layer}`);
      const at = source.address + (head * from.contextLength + begin) * rowBytes;
      const length = (end - begin) * rowBytes;
      const dest = target.address + (head * to.contextLength + begin) * rowBytes;
      member.bytes(source.region).copyWithin(dest, at, at + length);
    }
  }
}
