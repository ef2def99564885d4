import type { LockTiming } from "../platform/node-lock-file.js";

/** Limits of waiting for the network and other processes. Tests use shorter ones. */
export interface Timing {
  /** Tries of one request until it is answered. */
  readonly requestTries: number;
  /** Tries of a download since its last byte. They cover an outage of about a minute. */
  readonly downloadTries: number;
  /** The pause after the first failure. It doubles with each further failure. */
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
  /** The request fails if the server asks for a longer pause. */
  readonly maxRetryAfterMs: number;
  /** A connection counts as lost after this time without an answer or a byte. */
  readonly silenceMs: number;
  /** Pause between looks at a file that another process downloads. */
  readonly pollMs: number;
  readonly lock: LockTiming;
}

export const usualTiming: Timing = {
  requestTries: 4,
  downloadTries: 8,
  firstPauseMs: 500,
  maxPauseMs: 15_000,
  maxRetryAfterMs: 120_000,
  silenceMs: 30_000,
  pollMs: 250,
  lock: { beatMs: 1000, deadMs: 3000, staleMs: 30_000 },
};
