import type { TokenBytes } from "../../model/bytes-per-token.js";
import type { ReadBandwidth } from "./bandwidth.js";

/**
 * Bytes that a token of a text reads, on average: all weights once, and the keys and values of the positions before it and of
 * its own.
 *
 * @param tokens length of the text, which begins with an empty cache.
 */
export function meanBytesPerToken({ layers, head, kvCachePerPosition }: TokenBytes, tokens: number): number {
  return layers + head + (kvCachePerPosition * (tokens + 1)) / 2;
}

/** How near decoding comes to what its bytes allow. */
export interface DecodeLimit {
  readonly bytesPerToken: number;
  /** What decoding reads in a second, at its median speed. */
  readonly readBytesPerSecond: number;
  /** That as a part of what the same threads read when they do nothing else. */
  readonly bandwidthShare: number;
  readonly bandwidth: ReadBandwidth;
}

export function decodeLimit(
  bytesPerToken: number,
  tokensPerSecond: number,
  bandwidth: ReadBandwidth,
): DecodeLimit {
  const readBytesPerSecond = bytesPerToken * tokensPerSecond;
  const bandwidthShare = readBytesPerSecond / bandwidth.bytesPerSecond;
  return { bytesPerToken, readBytesPerSecond, bandwidthShare, bandwidth };
}
