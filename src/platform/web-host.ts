declare const navigator: { readonly hardwareConcurrency?: number; readonly deviceMemory?: number };

/** Threads that the host runs at the same time. */
export function availableParallelism(): number {
  return Math.max(1, navigator.hardwareConcurrency ?? 1);
}

/** Bytes that the host can give. Browsers round it, and some do not say: then Infinity. */
export function freeMemoryBytes(): number {
  const gigabytes = navigator.deviceMemory;
  // The largest answer means "or more".
  return gigabytes === undefined || gigabytes >= 8 ? Infinity : gigabytes * 2 ** 30;
}

/** Pages cannot ask for a collection. */
export function collectGarbage(): void {}

/** Browsers that have relaxed SIMD have it without a flag. */
export function enableRelaxedSimd(): void {}

/** Pages cannot set flags of the engine. */
export function hasRevectorizer(): boolean {
  return false;
}

export function withRevectorizer<T>(action: () => T): T {
  return action();
}
