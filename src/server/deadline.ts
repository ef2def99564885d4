import { BitNetError } from "../errors.js";
import type { RequestRecord } from "./request-log.js";

/** How a request's work ended. */
export type Outcome = NonNullable<RequestRecord["outcome"]>;

/**
 * Ends a request's work exactly once: it is complete, it fails, its client leaves, or it exceeds the timeout.
 */
export interface Deadline {
  /** Fires when the work ends, for whatever reason. */
  readonly signal: AbortSignal;
  /** Fires on the timeout only. */
  readonly timedOut: AbortSignal;
  /** Ends the work. Idempotent. @param reason the failure; undefined if the work is complete. */
  end(reason?: unknown): void;
  /** Ends the work because the client is gone. Idempotent. */
  leave(): void;
}

export interface DeadlineOptions {
  /** Fires when the client leaves. */
  readonly client: AbortSignal;
  readonly timeoutMs: number;
  /** Receives the outcome once. */
  readonly onEnd: (outcome: Outcome, reason: unknown) => void;
}

export function createDeadline({ client, timeoutMs, onEnd }: DeadlineOptions): Deadline {
  const work = new AbortController();
  const timeout = new AbortController();
  let ended = false;

  function finish(outcome: Outcome, reason?: unknown): void {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    client.removeEventListener("abort", leave);
    work.abort(reason);
    onEnd(outcome, reason);
  }
  function leave(): void {
    finish("left", new BitNetError("ABORTED", "The client has gone away", { cause: client.reason }));
  }
  const timer = setTimeout(() => {
    const late = new BitNetError(
      "ABORTED",
      `The request took longer than ${timeoutMs / 1000} s, which is the most that this server gives one`,
      { details: { timeoutMs } },
    );
    finish("overdue", late);
    timeout.abort(late);
  }, timeoutMs);
  // The connection keeps the process alive. The timer must not.
  timer.unref();
  if (client.aborted) leave();
  else client.addEventListener("abort", leave, { once: true });

  return {
    signal: work.signal,
    timedOut: timeout.signal,
    end: (reason) => finish(reason === undefined ? "written" : "failed", reason),
    leave,
  };
}
