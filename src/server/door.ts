import { BitNetError } from "../errors.js";

/** The wait of a request at a full queue. Clients that retry at once send one request a second. */
const maxWaitMs = 1000;
const lookMs = 10;

/**
 * Lets requests in while the queue has room. At a full queue they wait for a moment, before any other work.
 * Without that, clients that retried at once took the CPU from the threads that generate.
 */
export interface Door {
  /**
   * @param client ends the wait when the client leaves.
   * @throws BitNetError QUEUE_FULL if the queue stays full.
   */
  enter(client: AbortSignal): Promise<void>;
}

/** @param isFull whether the queue has no room. */
export function createDoor(isFull: () => boolean): Door {
  /** Each lets its request in. The first is the oldest. */
  const waiting = new Set<() => void>();
  let looking: ReturnType<typeof setInterval> | undefined;

  function look(): void {
    const [first] = waiting;
    // One at a time: the queue must count it before the next look.
    if (first !== undefined && !isFull()) first();
    if (waiting.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  }

  return {
    async enter(client): Promise<void> {
      if (waiting.size === 0 && !isFull()) return;
      looking ??= setInterval(look, lookMs);
      await new Promise<void>((resolve, reject) => {
        const end = (): void => {
          waiting.delete(enter);
          clearTimeout(timer);
          client.removeEventListener("abort", enter);
        };
        const enter = (): void => {
          end();
          resolve();
        };
        const timer = setTimeout(() => {
          end();
          reject(
            new BitNetError("QUEUE_FULL", "Cannot take another request: the queue is full; try again later"),
          );
        }, maxWaitMs);
        waiting.add(enter);
        client.addEventListener("abort", enter, { once: true });
      });
    },
  };
}
