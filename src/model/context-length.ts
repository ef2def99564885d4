import type { ModelSizes } from "../architectures/description.js";
import { BitNetError } from "../errors.js";
import { describeBytes } from "../wasm/memory.js";
import type { CacheType } from "../wasm/cache-types.js";
import { kvBytesPerToken, paddedHeadSize } from "./cache-format.js";

/** The part of the free memory that a KV cache may be planned for. */
const usableFraction = 0.9;
/** The minimum useful context: loading fails instead of shrinking it further. */
const minContextLength = 256;

/**
 * Bytes per position that grow with the context: the KV cache, the rotary table, and each worker's scratch
 * for the scores of four heads.
 */
function contextBytesPerToken(sizes: ModelSizes, { cacheType, threads }: ContextWishes): number {
  return kvBytesPerToken(cacheType, sizes) + paddedHeadSize(sizes) * 4 + threads * 16;
}

/** Wishes and limits for the context of a model. */
export interface ContextWishes {
  /** Positions that the caller asked for. Undefined for the model's own, as far as memory allows. */
  readonly contextLength: number | undefined;
  /** Bytes that the host can give. */
  readonly freeBytes: number;
  readonly threads: number;
  /** How keys and values are kept. */
  readonly cacheType: CacheType;
}

/** Positions that streaming leaves memory for, unless the caller asks for another number. */
const streamContextLength = 4096;

/** Bytes for matrices beside the KV cache of the context that was asked for, or of a usual one. */
export function roomForWeights(sizes: ModelSizes, wishes: ContextWishes): number {
  const positions = Math.min(sizes.contextLength, wishes.contextLength ?? streamContextLength);
  const contextBytes = positions * contextBytesPerToken(sizes, wishes);
  return Math.max(0, wishes.freeBytes * usableFraction - contextBytes / usableFraction);
}

/** Whether the weights and the context that was asked for fit, or else a short context. */
export function fitsMemory(sizes: ModelSizes, weightBytes: number, wishes: ContextWishes): boolean {
  return (
    weightBytes <= wishes.freeBytes && minPositions(sizes, wishes) <= maxPositions(sizes, weightBytes, wishes)
  );
}

function minPositions(sizes: ModelSizes, { contextLength }: ContextWishes): number {
  return Math.min(sizes.contextLength, contextLength ?? minContextLength);
}

/** Positions that fit the memory beside the weights. */
function maxPositions(sizes: ModelSizes, weightBytes: number, wishes: ContextWishes): number {
  return Math.floor(contextRoom(weightBytes, wishes) / contextBytesPerToken(sizes, wishes));
}

function contextRoom(weightBytes: number, { freeBytes }: ContextWishes): number {
  return Math.max(0, (freeBytes - weightBytes) * usableFraction);
}

/**
 * Chooses the positions to prepare for: `options.contextLength`, or by default the model's own as far as
 * memory allows.
 *
 * @param name of the file, for error messages.
 * @param options.freeBytes bytes that the host can give.
 * @throws BitNetError INVALID_ARGUMENT above the model's own, OUT_OF_MEMORY where weights and cache do not
 *   fit.
 */
export function chooseContextLength(
  name: string,
  sizes: ModelSizes,
  weightBytes: number,
  options: ContextWishes,
): number {
  const { contextLength: wanted, freeBytes } = options;
  if (weightBytes > freeBytes) {
    throw new BitNetError(
      "OUT_OF_MEMORY",
      `Cannot load "${name}": its weights need ${describeBytes(weightBytes)} and ${describeBytes(freeBytes)} of memory are free; the option stream (--stream) reads layers from disk in every pass instead`,
      { details: { bytes: weightBytes, availableBytes: freeBytes } },
    );
  }
  if (wanted !== undefined && wanted > sizes.contextLength) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid contextLength: ${wanted} (expected at most ${sizes.contextLength}, the maximum of the model)`,
      { details: { option: "contextLength", value: wanted } },
    );
  }
  const max = maxPositions(sizes, weightBytes, options);
  const min = minPositions(sizes, options);
  if (min > max) {
    const room = contextRoom(weightBytes, options);
    const perToken = contextBytesPerToken(sizes, options);
    throw new BitNetError(
      "OUT_OF_MEMORY",
      `Cannot fit a context of ${min} tokens: the KV cache and its tables need ${describeBytes(min * perToken)} and ${describeBytes(room)} are free` +
        (max > 0 ? `; choose a context of ${max} or less` : ""),
      { details: { contextLength: min, bytes: min * perToken, availableBytes: room } },
    );
  }
  return wanted ?? Math.min(sizes.contextLength, max);
}
