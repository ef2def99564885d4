/**
 * Waits for every value. A failure ends the others early, and is thrown when they have ended: a read that is
 * under way must not write into memory that is no longer used.
 */
export async function allAtOnce<T extends Readonly<Record<string, unknown>>>(
  failed: AbortController,
  promises: { readonly [K in keyof T]: Promise<T[K]> },
): Promise<T> {
  const entries: readonly (readonly [string, Promise<unknown>])[] = Object.entries(promises);
  const settled = await Promise.allSettled(
    entries.map(async ([name, promise]) => {
      try {
        return [name, await promise] as const;
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  const values = settled.map((one) => {
    // Not the failure of this promise: it may only have been ended by the first one.
    if (one.status === "rejected") throw failed.signal.reason;
    return one.value;
  });
  return Object.fromEntries(values) as T;
}
