import { throwIfAborted } from "../../errors.js";

/** The measured part of an engine. */
export interface ReadingSubject {
  /** Makes the threads read the weights of a generated token, this many times. */
  readWeights(times: number): Promise<void>;
}

/** The read bandwidth of a team that only reads a model's weights. */
export interface ReadBandwidth {
  /** From the fastest reading: other load on the machine only slows readings down. */
  readonly bytesPerSecond: number;
  /** Bytes of one reading of the weights. */
  readonly bytes: number;
}

/** The faster of two measurements of the same bytes. */
export function fasterOf(a: ReadBandwidth, b: ReadBandwidth): ReadBandwidth {
  return a.bytesPerSecond >= b.bytesPerSecond ? a : b;
}

const readings = 8;
/** Long enough that messages to the threads do not matter: they take a fifth of a millisecond. */
const readingMs = 40;

/** Smaller models fit the caches of some processors, so their readings would not measure memory. */
const largestCacheBytes = 512 << 20;

/** Whether a model of this many bytes is read from memory on any processor. */
export function exceedsCaches(bytes: number): boolean {
  return bytes > largestCacheBytes;
}

/**
 * Measures the maximum read bandwidth of decoding: the same threads sum the same bytes, in four streams each,
 * and do nothing else.
 *
 * @param bytes bytes of one reading of the weights
 */
export async function measureReadBandwidth(
  subject: ReadingSubject,
  bytes: number,
  signal?: AbortSignal,
): Promise<ReadBandwidth> {
  const msFor = async (times: number): Promise<number> => {
    throwIfAborted(signal);
    const startedMs = performance.now();
    await subject.readWeights(times);
    return performance.now() - startedMs;
  };
  // The first readings run unoptimised code.
  let times = 1;
  for (let ms = await msFor(times); ms < readingMs; ms = await msFor(times)) {
    times = Math.ceil(times * Math.min(16, Math.max(1.1, readingMs / Math.max(ms, 0.01))));
  }
  let min = Infinity;
  for (let reading = 0; reading < readings; reading += 1) min = Math.min(min, await msFor(times));
  return { bytesPerSecond: (bytes * times * 1000) / min, bytes };
}
