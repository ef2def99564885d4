import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { createHistogram, type Histogram } from "./histogram.js";

/** Numbers about the server, for Prometheus. */
export interface Metrics {
  /** Seconds from a request to the end of its answer, by route and status. */
  readonly requestSeconds: Histogram;
  /** Seconds from a request to its first token. */
  readonly firstTokenSeconds: Histogram;
  /** Mean seconds between the tokens of a request. */
  readonly tokenSeconds: Histogram;
  /** Writes all metrics in Prometheus' text format. */
  render(stats: SchedulerStats): string;
}

/** The scheduler's numbers: name, type, help, value. */
const schedulerMetrics = [
  ["requests_queued", "gauge", "Texts waiting for a slot", ({ queued }) => queued],
  ["requests_active", "gauge", "Texts being written", ({ active }) => active],
  ["requests_total", "counter", "Texts that got a slot", ({ requests }) => requests],
  ["prompt_tokens_total", "counter", "Prompt tokens", ({ promptTokens }) => promptTokens],
  ["cached_tokens_total", "counter", "Prompt tokens found in a KV cache", ({ cachedTokens }) => cachedTokens],
  ["cache_hits_total", "counter", "Texts with prompt tokens in a KV cache", ({ cacheHits }) => cacheHits],
  ["generated_tokens_total", "counter", "Tokens written", ({ generatedTokens }) => generatedTokens],
  ["passes_total", "counter", "Passes over the model", ({ passes }) => passes],
] as const satisfies readonly [string, "gauge" | "counter", string, (stats: SchedulerStats) => number][];

export function createMetrics(): Metrics {
  const requestSeconds = createHistogram(
    "bitnet_request_duration_seconds",
    "Time from a request to the end of its answer",
    [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
  );
  const firstTokenSeconds = createHistogram(
    "bitnet_first_token_seconds",
    "Time from a request to its first token, including the wait for a slot",
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  );
  const tokenSeconds = createHistogram(
    "bitnet_token_seconds",
    "Mean time between successive tokens of a request",
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  );
  return {
    requestSeconds,
    firstTokenSeconds,
    tokenSeconds,
    render(stats): string {
      const lines = schedulerMetrics.map(
        ([name, type, help, valueOf]) =>
          `# HELP bitnet_${name} ${help}\n# TYPE bitnet_${name} ${type}\nbitnet_${name} ${valueOf(stats)}\n`,
      );
      return [...lines, requestSeconds.render(), firstTokenSeconds.render(), tokenSeconds.render()].join("");
    },
  };
}
