import { cacheFormat, paddedHeadSize } from "../model/cache-format.js";
import type { Model } from "../model/model.js";
import { int8Attention } from "../wasm/cache-types.js";
import { attentionPositions, type Kernels } from "../wasm/kernels.js";
import type { CachePlan, KvCache } from "./kv-cache.js";
import type { WorkerContext } from "./worker-context.js";

/** Rows of heads [heads, headSize], the first at `address`. */
export interface HeadRows {
  readonly address: number;
  /** Bytes from one row to the next. */
  readonly stride: number;
}

/** Query heads that share a key and value head, for neighbouring tokens of a sequence. */
export interface HeadGroup {
  /** The key and value head. */
  readonly kvHead: number;
  readonly heads: number;
  /** Position of the first token. */
  readonly position: number;
  readonly tokens: number;
  /** Positions that a token sees, with its own. */
  readonly window: number;
}

/** Scratch of attention for sequences of up to `contextLength` positions. */
export interface AttentionScratch {
  readonly address: number;
  readonly contextLength: number;
}

/** The kernels that know how a model's caches keep keys and values. */
export interface CacheKernels {
  /** Writes heads [begin, end) of rows into a cache of a layer, from `position` on. */
  store(
    kernels: Kernels,
    which: keyof KvCache,
    rows: HeadRows & { readonly tokens: number; readonly begin: number; readonly end: number },
    to: { readonly cache: CachePlan; readonly layer: number; readonly position: number },
  ): void;
  /** Writes attention of queries to `out`. */
  attend(
    kernels: Kernels,
    group: HeadGroup,
    queries: HeadRows,
    from: { readonly cache: CachePlan; readonly layer: number },
    scratch: AttentionScratch,
    out: HeadRows,
  ): void;
}

export function createCacheKernels(
  model: Pick<Model, "sizes" | "cacheType" | "attentionScale">,
  worker: Pick<WorkerContext, "attentionForm">,
): CacheKernels {
  const headSize = paddedHeadSize(model.sizes);
  const format = cacheFormat(model.cacheType, model.sizes);
  const headBytes = (which: keyof KvCache, cache: CachePlan): number =>
    cache.cachePositions * format[which].bytes;

  return {
    store(kernels, which, { address, stride, tokens, begin, end }, { cache, layer, position }): void {
      const to = layerOf(cache, layer)[which].address;
      const headStride = headBytes(which, cache);
      const from = [address, tokens, stride, begin, end, headSize] as const;
      if (model.cacheType === "f16") {
        const rowBytes = headSize * 2;
        kernels.store_heads_f16(...from, to + position * rowBytes, headStride, rowBytes);
        return;
      }
      const store = which === "keys" ? kernels.store_keys_int8 : kernels.store_values_int8;
      store(...from, to, headStride, cache.cachePositions, position);
    },
    attend(kernels, group, queries, { cache, layer }, scratch, out): void {
      const { kvHead, heads, position, tokens, window } = group;
      const { keys, values } = layerOf(cache, layer);
      const operands = [
        queries.address,
        queries.stride,
        keys.address + kvHead * headBytes("keys", cache),
        values.address + kvHead * headBytes("values", cache),
      ] as const;
      const positions = attentionPositions(scratch.contextLength);
      const shape = [headSize, heads, position, tokens, window, model.attentionScale] as const;
      const rest = [scratch.address, positions, out.address, out.stride] as const;
      if (model.cacheType === "f16") kernels.attention(...operands, ...shape, ...rest);
      else int8Attention(kernels, worker.attentionForm)(...operands, cache.cachePositions, ...shape, ...rest);
    },
  };
}

function layerOf(cache: CachePlan, layer: number): KvCache {
  const found = cache.layers[layer];
  if (found === undefined) throw new RangeError(`a cache without layer ${layer}`);
  return found;
}
