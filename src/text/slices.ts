import { throwIfAborted } from "../errors.js";

/** Work that may stop at every step. */
export type Steps<T> = Generator<void, T, void>;

export interface SliceOptions {
  /** Milliseconds of work before other events have their turn. Default: 10. */
  readonly sliceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Does all steps at once. */
export function drain<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/**
 * Does the steps in slices, so that the event loop goes on.
 *
 * @throws The signal's reason, between two slices.
 */
export async function inSlices<T>(steps: Steps<T>, options: SliceOptions = {}): Promise<T> {
  const { sliceMs = 10, signal } = options;
  throwIfAborted(signal);
  for (let begun = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() - begun < sliceMs) continue;
    await new Promise((resolve) => setTimeout(resolve));
    throwIfAborted(signal);
    begun = performance.now();
  }
}
