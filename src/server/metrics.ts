import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { createHistogram, type Histogram, type Labels, renderLabels } from "./histogram.js";

/** Numbers about the server, for Prometheus. */
export interface Metrics {
  /** Seconds from a request to the end of its answer, by route and status. */
  readonly requestSeconds: Histogram;
  /** Seconds from a request to its first token. */
  readonly firstTokenSeconds: Histogram;
  /** Mean seconds between the tokens of a request. */
  readonly tokenSeconds: Histogram;
  /** Writes all metrics in Prometheus' text format. @param models the counts of each model. */
  render(models: readonly ModelStats[]): string;
}

/** The counts of a model. */
export interface ModelStats {
  /** Its labels: its name if the server has several. */
  readonly labels: Labels;
  readonly stats: SchedulerStats;
  readonly isLoaded: boolean;
}

/** The numbers of each model: name, type, help, value. */
const modelMetrics = [
  ["model_loaded", "gauge", "Whether the model is in memory", ({ isLoaded }) => (isLoaded ? 1 : 0)],
  ["requests_queued", "gauge", "Texts waiting for a slot", ({ stats }) => stats.queued],
  ["requests_active", "gauge", "Texts being written", ({ stats }) => stats.active],
  ["requests_total", "counter", "Texts that got a slot", ({ stats }) => stats.requests],
  ["prompt_tokens_total", "counter", "Prompt tokens", ({ stats }) => stats.promptTokens],
  ["cached_tokens_total", "counter", "Prompt tokens found in a KV cache", ({ stats }) => stats.cachedTokens],
  ["cache_hits_total", "counter", "Texts with prompt tokens in a KV cache", ({ stats }) => stats.cacheHits],
  ["generated_tokens_total", "counter", "Tokens written", ({ stats }) => stats.generatedTokens],
  ["passes_total", "counter", "Passes over the model", ({ stats }) => stats.passes],
] as const satisfies readonly [string, "gauge" | "counter", string, (model: ModelStats) => number][];

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
    render(models): string {
      const lines = modelMetrics.map(([name, type, help, valueOf]) =>
        [
          `# HELP bitnet_${name} ${help}\n# TYPE bitnet_${name} ${type}\n`,
          ...models.map((each) => `bitnet_${name}${renderLabels(each.labels)} ${valueOf(each)}\n`),
        ].join(""),
      );
      return [...lines, requestSeconds.render(), firstTokenSeconds.render(), tokenSeconds.render()].join("");
    },
  };
}
