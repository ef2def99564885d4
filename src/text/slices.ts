import { throwIfAborted } from "../errors.js";
import { queueTask } from "../platform/thread.js";

/** Work that may stop at every step. */
export type Steps<T> = Generator<void, T, void>;

export interface SliceOptions {
  /** Milliseconds of work in a turn of the event loop, before other events have theirs. Default: 5. */
  readonly sliceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A request in between needs some turns of the event loop. Each of them can have two slices. */
const defaultSliceMs = 5;

/** Work that shares some time of each turn of the event loop. */
interface Lane {
  /** Whether its work has taken this time of the current turn. */
  isSpent(ms: number): boolean;
  /** Waits for a turn. Each goes to one caller, first come, first served. */
  next(): Promise<void>;
}

function createLane(): Lane {
  /** The current turn, if it has work of this lane. */
  let turn: { readonly begunMs: number } | undefined;
  let last = Promise.resolve();

  function begin(): { readonly begunMs: number } {
    const begun = { begunMs: performance.now() };
    turn = begun;
    queueTask(() => {
      if (turn === begun) turn = undefined;
    });
    return begun;
  }

  function next(): Promise<void> {
    return new Promise((resolve) =>
      queueTask(() => {
        begin();
        resolve();
      }),
    );
  }

  return {
    isSpent: (ms) => performance.now() - (turn ?? begin()).begunMs >= ms,
    next: () => (last = last.then(next)),
  };
}

/** Short requests, and the first slice of each job. They do not wait for jobs that are known to be long. */
const short = createLane();
const long = createLane();

/**
 * Waits for a turn of the event loop. Each turn goes to one caller, first come, first served. So a hundred
 * callers with 5 ms of work each do not hold other events for half a second.
 */
export function nextTurn(): Promise<void> {
  return long.next();
}

let lastShare = Promise.resolve();

/**
 * Waits for another turn of the event loop if this one has no time left. Many short pieces of work in one
 * turn, such as requests that arrive together, call it in between.
 */
export function shareTurn(): Promise<void> {
  // One after the other: each caller works before the next one looks at the time.
  lastShare = lastShare.then(() => (short.isSpent(defaultSliceMs) ? short.next() : undefined));
  return lastShare;
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
  const { sliceMs = defaultSliceMs, signal } = options;
  throwIfAborted(signal);
  let lane = short;
  if (lane.isSpent(sliceMs)) await otherTurn(lane, signal);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (!lane.isSpent(sliceMs)) continue;
    lane = long;
    await otherTurn(lane, signal);
  }
}

async function otherTurn(lane: Lane, signal: AbortSignal | undefined): Promise<void> {
  await lane.next();
  throwIfAborted(signal);
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
