import { throwIfAborted } from "../errors.js";

/** Work that may stop at every step. */
export type Steps<T> = Generator<void, T, void>;

export interface SliceOptions {
  /** Milliseconds of work before other events have their turn. Default: 10. */
  readonly sliceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

let lastTurn = Promise.resolve();

/**
 * Waits for a turn of the event loop. Each turn goes to one caller, first come, first served. So a hundred
 * callers with 10 ms of work each do not hold other events for a second.
 */
export function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => new Promise((resolve) => setTimeout(resolve)));
  return lastTurn;
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
    await nextTurn();
    throwIfAborted(signal);
    begun = performance.now();
  }
}

/** Parts of a text of about `length` UTF-16 units each. No part ends inside a character. */
export function* partsOf(text: string, length: number): Generator<string, void, void> {
  for (let begin = 0; begin < text.length;) {
    let end = Math.min(begin + length, text.length);
    if (isLowSurrogate(text.charCodeAt(end))) end += 1;
    yield text.slice(begin, end);
    begin = end;
  }
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
/** The slowest change of such a part takes about 3 ms. */
const changedLength = 1 << 15;

/** Changes a text character by character. */
export function* changeInSteps(text: string, change: (part: string) => string): Steps<string> {
  let changed = "";
  for (const part of partsOf(text, changedLength)) {
    changed += change(part);
    yield;
  }
  return changed;
}
