import type { Context, MiddlewareHandler } from "hono";
import { BitNetError } from "../errors.js";
import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { createHistogram } from "./histogram.js";
import type { RequestRecord } from "./request-log.js";

/** What is asked of a request's work. */
export interface Work {
  /** Aborted when the work is over, whichever way. */
  readonly signal: AbortSignal;
  /** Aborted when it has taken too long. */
  readonly overdue: AbortSignal;
  /** It is known what is to be written. */
  begun(promptTokens: number, prompts: () => readonly string[]): void;
  /** A token of one of its texts has been written. */
  wrote(index: number, text: string): void;
  /** Nothing more will be done; without a reason, all has been. Idempotent, as is `leave`. */
  end(reason?: unknown): void;
  /** The client has gone away. */
  leave(): void;
}

export interface WatchOptions {
  /** Longest time for a request's work. */
  readonly timeoutMs: number;
  readonly onRequest: ((record: RequestRecord) => void) | undefined;
  readonly logPrompts: boolean;
  /** Paths that the server has. */
  readonly routes: () => ReadonlySet<string>;
}

/** Knows of all requests: counts, times and limits them. */
export interface Watch {
  readonly middleware: MiddlewareHandler;
  /** Begins the work of a request that takes time. It ends with its client, too. */
  begin(context: Context): Work;
  /** All figures in Prometheus' text format. */
  render(stats: SchedulerStats): string;
}

/** A request under way. */
interface Watched {
  readonly startedMs: number;
  /** Its answer, and its work if there is any, are still to come. */
  open: number;
  status: number;
  facts: Partial<Mutable<RequestRecord>>;
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Probes come every few seconds, and say nothing. */
const unlogged = new Set(["/health", "/metrics"]);

export function createWatch({ timeoutMs, onRequest, logPrompts, routes }: WatchOptions): Watch {
  const requests = new WeakMap<Context, Watched>();
  const durations = createHistogram(
    "bitnet_request_duration_seconds",
    "Time from a request to the end of its answer",
    [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600],
  );
  const firstTokens = createHistogram(
    "bitnet_first_token_seconds",
    "Time from a request to its first token, waiting for a place included",
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  );
  const tokens = createHistogram(
    "bitnet_token_seconds",
    "Mean time between tokens of a request that are written one after another",
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  );

  /** One of the things that a request consists of is over. */
  function close(context: Context, request: Watched): void {
    request.open -= 1;
    if (request.open > 0) return;
    const { method, path } = context.req;
    const durationMs = performance.now() - request.startedMs;
    const status = request.facts.outcome === "left" ? 499 : request.status;
    durations.observe(durationMs / 1000, {
      // What clients make up must not become figures of its own.
      route: routes().has(path) ? path : "other",
      status,
    });
    if (onRequest === undefined || unlogged.has(path)) return;
    onRequest({
      time: new Date(Date.now() - durationMs).toISOString(),
      id: crypto.randomUUID(),
      method,
      path,
      status,
      ...request.facts,
      durationMs: Math.round(durationMs),
    });
  }

  return {
    async middleware(context, next): Promise<void> {
      const request: Watched = { startedMs: performance.now(), open: 1, status: 500, facts: {} };
      requests.set(context, request);
      try {
        await next();
        request.status = context.res.status;
      } finally {
        close(context, request);
      }
    },

    begin(context): Work {
      const request = requests.get(context);
      const controller = new AbortController();
      const overdue = new AbortController();
      const client = context.req.raw.signal;
      const { signal } = controller;
      const count: number[] = [];
      const texts: string[] = [];
      let firstMs: number | undefined;
      let ended = false;

      const leave = (): void =>
        end(new BitNetError("ABORTED", "The client has gone away", { cause: client.reason }), "left");
      const timer = setTimeout(() => {
        const late = new BitNetError(
          "ABORTED",
          `The request took longer than ${timeoutMs / 1000} s, which is the most that this server gives one`,
          { details: { timeoutMs } },
        );
        end(late, "overdue");
        overdue.abort(late);
      }, timeoutMs);
      // It must not keep the process: the connection does.
      timer.unref();

      function end(reason?: unknown, outcome?: RequestRecord["outcome"]): void {
        if (ended) return;
        ended = true;
        clearTimeout(timer);
        client.removeEventListener("abort", leave);
        controller.abort(reason);
        if (request === undefined) return;
        const { facts, startedMs } = request;
        const written = count.reduce((sum, each) => sum + each, 0);
        facts.outcome = outcome ?? (reason === undefined ? "written" : "failed");
        if (reason instanceof BitNetError) facts.error = reason.code;
        if (written > 0) facts.generatedTokens = written;
        if (logPrompts) facts.texts = texts;
        const longest = Math.max(0, ...count);
        if (firstMs !== undefined) {
          facts.firstTokenMs = Math.round(firstMs - startedMs);
          if (longest > 1) tokens.observe((performance.now() - firstMs) / (longest - 1) / 1000);
        }
        close(context, request);
      }

      if (request !== undefined) request.open += 1;
      if (client.aborted) leave();
      else client.addEventListener("abort", leave, { once: true });
      return {
        signal,
        overdue: overdue.signal,
        begun(promptTokens, prompts): void {
          if (request === undefined) return;
          request.facts.promptTokens = promptTokens;
          if (logPrompts) request.facts.prompts = prompts();
        },
        wrote(index, text): void {
          count[index] = (count[index] ?? 0) + 1;
          if (logPrompts) texts[index] = (texts[index] ?? "") + text;
          if (firstMs !== undefined || request === undefined) return;
          firstMs = performance.now();
          firstTokens.observe((firstMs - request.startedMs) / 1000);
        },
        end: (reason) => end(reason),
        leave,
      };
    },

    render(stats): string {
      const figures = [
        ["requests_queued", "gauge", "Texts that wait for a place", stats.queued],
        ["requests_active", "gauge", "Texts that are being written", stats.active],
        ["requests_total", "counter", "Texts that have been given a place", stats.requests],
        ["prompt_tokens_total", "counter", "Tokens of prompts", stats.promptTokens],
        ["cached_tokens_total", "counter", "Tokens of prompts that were cached", stats.cachedTokens],
        ["cache_hits_total", "counter", "Texts whose prompt was partly cached", stats.cacheHits],
        ["generated_tokens_total", "counter", "Tokens written", stats.generatedTokens],
        ["passes_total", "counter", "Passes over the model", stats.passes],
      ] as const;
      const text = figures.map(
        ([key, type, help, value]) =>
          `# HELP bitnet_${key} ${help}\n# TYPE bitnet_${key} ${type}\nbitnet_${key} ${value}\n`,
      );
      return [...text, durations.render(), firstTokens.render(), tokens.render()].join("");
    },
  };
}
