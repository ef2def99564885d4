import type { TokenBytes } from "../../model/bytes-per-token.js";
import type { ReadBandwidth } from "./bandwidth.js";

/**
 * Mean bytes that a token of a text reads: all weights once, and the keys and values of its own and earlier
 * positions.
 *
 * @param tokens length of the text, which begins with an empty cache
 */
export function meanBytesPerToken({ layers, head, kvCachePerPosition }: TokenBytes, tokens: number): number {
  return layers + head + (kvCachePerPosition * (tokens + 1)) / 2;
}

/** How close decoding comes to its memory limit. */
export interface DecodeLimit {
  readonly bytesPerToken: number;
  /** Bytes per second that decoding reads, at its median speed. */
  readonly readBytesPerSecond: number;
  /** Its share of the bytes that the same threads read when they do nothing else. */
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
