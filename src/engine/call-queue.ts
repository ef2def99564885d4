/** Runs calls one after another. */
export interface CallQueue {
  /** Runs a call after all calls before it have ended. */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Number of calls that have not ended. */
  readonly unfinished: number;
  /** Resolves when all calls so far have ended; never rejects. */
  idle(): Promise<void>;
}

export function createCallQueue(): CallQueue {
  let last: Promise<void> = Promise.resolve();
  let unfinished = 0;
  return {
    run<T>(call: () => Promise<T>): Promise<T> {
      unfinished += 1;
      const result = last.then(call).finally(() => {
        unfinished -= 1;
      });
      last = result.then(
        () => undefined,
        () => undefined,
      );
      return result;
    },
    get unfinished() {
      return unfinished;
    },
    idle: () => last,
  };
}
