import type { ModelSizes } from "../architectures/description.js";
import { BitNetError } from "../errors.js";

/** The part of the free memory that a KV cache may be planned for. */
const usableFraction = 0.9;
/** The minimum useful context: loading fails instead of shrinking it further. */
const minContextLength = 256;

/** Bytes of KV cache per position: a key and a value vector of IEEE halves in every layer. */
export function kvBytesPerToken(sizes: ModelSizes): number {
  return sizes.layers * 2 * sizes.kvHeads * paddedHeadSize(sizes) * 2;
}

/** Elements of a head in the KV cache and in attention: a multiple of eight, as kernels need it. */
export function paddedHeadSize({ headSize }: { readonly headSize: number }): number {
  return Math.ceil(headSize / 8) * 8;
}

/**
 * Bytes per position that grow with the context: the KV cache, the rotary table, and each worker's scratch
 * for the scores of four heads.
 */
function contextBytesPerToken(sizes: ModelSizes, threads: number): number {
  return kvBytesPerToken(sizes) + paddedHeadSize(sizes) * 4 + threads * 16;
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
      `Invalid contextLength: ${wanted} (expected at most ${sizes.contextLength}, the maximum of the model)`,
      { details: { option: "contextLength", value: wanted } },
    );
  }
  const room = Math.max(0, (freeBytes - weightBytes) * usableFraction);
  const perToken = contextBytesPerToken(sizes, options.threads);
  const max = Math.floor(room / perToken);
  const min = Math.min(sizes.contextLength, wanted ?? minContextLength);
  if (min > max) {
    throw new BitNetError(
      "OUT_OF_MEMORY",
      `Cannot fit a context of ${min} tokens: the KV cache and its tables need ${gib(min * perToken)} and ${gib(room)} are free` +
        (max > 0 ? `; choose a context of ${max} or less` : ""),
      { details: { contextLength: min, bytes: min * perToken, availableBytes: room } },
    );
  }
  return wanted ?? Math.min(sizes.contextLength, max);
}

function gib(bytes: number): string {
  return bytes < 1 << 30 ? `${(bytes / (1 << 20)).toFixed(1)} MiB` : `${(bytes / (1 << 30)).toFixed(2)} GiB`;
}
