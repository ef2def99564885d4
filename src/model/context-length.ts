import type { ModelSizes } from "../architectures/index.js";
import { BitNetError } from "../errors.js";

/** Of the memory that is free, the part that a KV cache may be planned for. */
const usableFraction = 0.9;
/** A context worth having: below this, loading fails instead of shrinking further. */
const leastContextLength = 256;

/** Bytes of KV cache per position: a key and a value vector of halves in every layer. */
export function kvBytesPerToken(sizes: ModelSizes): number {
  return sizes.layers * 2 * sizes.kvHeads * paddedHeadSize(sizes) * 2;
}

/** What a head takes in the cache and where it is turned and attended to: kernels have it in steps of eight. */
export function paddedHeadSize({ headSize }: { readonly headSize: number }): number {
  return Math.ceil(headSize / 8) * 8;
}

/**
 * Bytes per position of all that grows with the context: the KV cache, the rotary table, and each thread's scratch for the
 * scores of four heads.
 */
function contextBytesPerToken(sizes: ModelSizes, threads: number): number {
  return kvBytesPerToken(sizes) + paddedHeadSize(sizes) * 4 + threads * 16;
}

/**
 * How many positions to prepare for: what was asked for, or else the model's own as far as memory allows.
 *
 * @throws BitNetError INVALID_ARGUMENT above the model's own, OUT_OF_MEMORY where weights and cache do not fit.
 */
export function chooseContextLength(
  name: string,
  sizes: ModelSizes,
  weightBytes: number,
  options: {
    readonly contextLength: number | undefined;
    readonly freeBytes: number;
    readonly threads: number;
  },
): number {
  const { contextLength: wanted, freeBytes } = options;
  if (weightBytes > freeBytes) {
    throw new BitNetError(
      "OUT_OF_MEMORY",
      `Cannot load "${name}": its weights need ${gib(weightBytes)} and ${gib(freeBytes)} of memory are free`,
      { details: { bytes: weightBytes, availableBytes: freeBytes } },
    );
  }
  if (wanted !== undefined && wanted > sizes.contextLength) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid contextLength: ${wanted} (expected at most ${sizes.contextLength}, what the model was made for)`,
      { details: { option: "contextLength", value: wanted } },
    );
  }
  const room = Math.max(0, (freeBytes - weightBytes) * usableFraction);
  const perToken = contextBytesPerToken(sizes, options.threads);
  const most = Math.floor(room / perToken);
  const least = Math.min(sizes.contextLength, wanted ?? leastContextLength);
  if (least > most) {
    throw new BitNetError(
      "OUT_OF_MEMORY",
      `Cannot fit a context of ${least} tokens: the KV cache and its tables need ${gib(least * perToken)} and ${gib(room)} are free` +
        (most > 0 ? `; choose a context of ${most} or less` : ""),
      { details: { contextLength: least, bytes: least * perToken, availableBytes: room } },
    );
  }
  return wanted ?? Math.min(sizes.contextLength, most);
}

function gib(bytes: number): string {
  return bytes < 1 << 30 ? `${(bytes / (1 << 20)).toFixed(1)} MiB` : `${(bytes / (1 << 30)).toFixed(2)} GiB`;
}
