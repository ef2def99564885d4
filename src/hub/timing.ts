import type { LockTiming } from "../platform/node-lock-file.js";

/** How long the network and other processes are waited for; tests are less patient. */
export interface Timing {
  /** Tries of one request until it is answered. */
  readonly requestTries: number;
  /** Tries of a download since the last byte that came: an outage of about a minute is waited out. */
  readonly downloadTries: number;
  /** The pause after the first failure; it doubles with each further one. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** A server that asks for more patience than this is not waited for. */
  readonly longestRetryAfterMs: number;
  /** Without an answer, or another byte of it, for so long, a connection counts as lost. */
  readonly silenceMs: number;
  /** Between looks at a file that another process downloads. */
  readonly pollMs: number;
  readonly lock: LockTiming;
}

export const usualTiming: Timing = {
  requestTries: 4,
  downloadTries: 8,
  firstPauseMs: 500,
  longestPauseMs: 15_000,
  longestRetryAfterMs: 120_000,
  silenceMs: 30_000,
  pollMs: 250,
  lock: { beatMs: 1000, deadMs: 3000, staleMs: 30_000 },
};
