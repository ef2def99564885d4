import { throwIfAborted } from "../../errors.js";

/** The part of an engine that is measured. */
export interface ReadingSubject {
  /** Has the threads read the weights of a generated token so often. */
  readWeights(times: number): Promise<void>;
}

/** How fast a team of threads reads a model's weights when it does nothing else. */
export interface ReadBandwidth {
  /** Of the fastest reading: what else the machine does only slows readings down. */
  readonly bytesPerSecond: number;
  /** Bytes of one reading of the weights. */
  readonly bytes: number;
}

/** The faster of two measurements of the same bytes. */
export function fasterOf(a: ReadBandwidth, b: ReadBandwidth): ReadBandwidth {
  return a.bytesPerSecond >= b.bytesPerSecond ? a : b;
}

const readings = 8;
/** Long enough that messages to the threads do not count: they take a fifth of a millisecond. */
const readingMs = 40;

/** Models below this lie in some processors' caches, so that what is measured is no memory's speed. */
const largestCacheBytes = 512 << 20;

/** Whether a model of so many bytes is read from memory, whatever the processor's caches are. */
export function exceedsCaches(bytes: number): boolean {
  return bytes > largestCacheBytes;
}

/**
 * Measures the read bandwidth that decoding could use at most: the same threads add up the same bytes, in four streams each,
 * and do nothing else.
 *
 * @param bytes what one reading of the weights reads.
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
  // The first readings run code that is not optimised yet.
  let times = 1;
  for (let ms = await msFor(times); ms < readingMs; ms = await msFor(times)) {
    times = Math.ceil(times * Math.min(16, Math.max(1.1, readingMs / Math.max(ms, 0.01))));
  }
  let min = Infinity;
  for (let reading = 0; reading < readings; reading += 1) min = Math.min(min, await msFor(times));
  return { bytesPerSecond: (bytes * times * 1000) / min, bytes };
}
