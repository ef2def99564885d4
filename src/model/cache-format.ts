import type { ModelSizes } from "../architectures/description.js";
import type { CacheType } from "../wasm/cache-types.js";

/** The layout of the keys or the values of one head, for a cache of `cachePositions` positions. */
export interface HeadLayout {
  /**
   * Bytes of a position in each of its parts. The parts follow one another, each for all positions: codes,
   * then scales.
   */
  readonly parts: readonly number[];
  /** Bytes of a position. */
  readonly bytes: number;
}

/** The layout of a cache's heads. */
export interface CacheFormat {
  /**
   * Positions of a block: a cache has whole blocks. The bytes of a block's positions are together in each
   * part, in an order of their own.
   */
  readonly block: number;
  readonly keys: HeadLayout;
  readonly values: HeadLayout;
}

/** Elements of a key that share a scale, and positions of a block of values (assembly/tiles/int8-heads). */
const int8Group = 32;
const int8Block = 128;

/** @param sizes.headSize any: heads are padded as kernels need them. */
export function cacheFormat(type: CacheType, sizes: Pick<ModelSizes, "headSize">): CacheFormat {
  const headSize = paddedHeadSize(sizes);
  if (type === "f16") {
    const halves = headLayout(2 * headSize);
    return { block: 1, keys: halves, values: halves };
  }
  const keyScales = 4 * Math.ceil(headSize / int8Group);
  return { block: int8Block, keys: headLayout(headSize, keyScales), values: headLayout(headSize, 4) };
}

function headLayout(...parts: number[]): HeadLayout {
  return { parts, bytes: parts.reduce((sum, bytes) => sum + bytes, 0) };
}

/** Elements of a head in the KV cache and in attention: a multiple of eight, as kernels need it. */
export function paddedHeadSize({ headSize }: { readonly headSize: number }): number {
  return Math.ceil(headSize / 8) * 8;
}

/** Positions that a cache has room for: whole blocks. */
export function cacheLength({ block }: CacheFormat, contextLength: number): number {
  return Math.ceil(contextLength / block) * block;
}

/** Bytes of one layer's keys and values. */
export function layerCacheBytes(type: CacheType, sizes: ModelSizes, contextLength: number): number {
  const format = cacheFormat(type, sizes);
  const cachePositions = cacheLength(format, contextLength);
  return sizes.kvHeads * cachePositions * (format.keys.bytes + format.values.bytes);
}

/** Bytes of KV cache per position: a key and a value vector in every layer. */
export function kvBytesPerToken(type: CacheType, sizes: ModelSizes): number {
  const { keys, values } = cacheFormat(type, sizes);
  return sizes.layers * sizes.kvHeads * (keys.bytes + values.bytes);
}
