/** A request that is over: what it was and what became of it. What it said is left out unless it is asked for. */
export interface RequestRecord {
  /** When it came, ISO 8601. */
  readonly time: string;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** What the client was answered; 499 where it had gone by then. */
  readonly status: number;
  /** How its texts ended, where it had any: all written, left by the client, out of time, or failed. */
  readonly outcome?: "written" | "left" | "overdue" | "failed";
  readonly durationMs: number;
  /** Until the first token was there. */
  readonly firstTokenMs?: number;
  readonly promptTokens?: number;
  readonly generatedTokens?: number;
  /** The code of a failure. */
  readonly error?: string;
  readonly prompts?: readonly string[];
  readonly texts?: readonly string[];
}
