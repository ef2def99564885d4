import { BitNetError, throwIfAborted } from "../errors.js";
import type { Timing } from "./timing.js";

/** Decides whether to retry a failure, and waits before the retry. */
export interface Patience {
  /**
   * Waits before the next try, longer after each failure.
   * @throws the failure itself if a retry cannot help, or after too many tries; `signal.reason`.
   */
  wait(failure: unknown): Promise<void>;
  /** Progress was made: counts failures from 0 again. */
  renew(): void;
}

/** A failure that may pass: a lost connection, a busy server. `retryAfterMs` is the server's own wish. */
export function passingFailure(
  message: string,
  options: { readonly cause?: unknown; readonly status?: number; readonly retryAfterMs?: number | undefined },
): BitNetError {
  const { cause, status, retryAfterMs } = options;
  return new BitNetError("DOWNLOAD_FAILED", message, {
    cause,
    details: {
      passing: true,
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  });
}

export function createPatience(tries: number, timing: Timing, signal: AbortSignal | undefined): Patience {
  let failures = 0;
  return {
    async wait(failure): Promise<void> {
      throwIfAborted(signal);
      if (!(failure instanceof BitNetError) || failure.details.passing !== true) throw failure;
      failures += 1;
      if (failures >= tries) throw failure;
      const asked = failure.details.retryAfterMs;
      if (typeof asked === "number" && asked > timing.maxRetryAfterMs) throw failure;
      const pause = Math.min(timing.maxPauseMs, timing.firstPauseMs * 2 ** (failures - 1));
      // Up to half as long again, at random, so that clients of one outage do not all return at once.
      await pauseFor(typeof asked === "number" ? asked : pause * (1 + Math.random() / 2), signal);
    },
    renew(): void {
      failures = 0;
    },
  };
}

/** @throws `signal.reason` */
export async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    }
    signal?.addEventListener("abort", end);
  });
  throwIfAborted(signal);
}
