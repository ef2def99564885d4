import type { Context, MiddlewareHandler } from "hono";
import { BitNetError } from "../errors.js";
import { createDeadline, type Deadline } from "./deadline.js";
import type { Metrics } from "./metrics.js";
import type { RequestFacts, RequestLog } from "./request-log.js";

/** A request's work: the part that can take long. */
export interface Work extends Deadline {
  /** How long the client may take nothing of a stream, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** The prompts are known. @param prompts the text of the prompts, for the log. */
  started(promptTokens: number, prompts: () => readonly string[]): void;
  /** A token was written. @param index number of the text within the request. */
  wrote(index: number, text: string): void;
}

export interface TrackerOptions {
  /** Maximum time of a request's work, in milliseconds. */
  readonly timeoutMs: number;
  /** Maximum time in which a client takes nothing of a stream, in milliseconds. */
  readonly stallTimeoutMs: number;
  readonly metrics: Metrics;
  readonly log: RequestLog;
  /** Whether the log gets prompts and texts. */
  readonly logPrompts: boolean;
  /** Paths of the server's routes. */
  readonly routes: () => ReadonlySet<string>;
}

/** Counts, times and limits requests. */
export interface RequestTracker {
  readonly middleware: MiddlewareHandler;
  /** Begins the work of a request. The work also ends with the client. */
  begin(context: Context): Work;
  /** Names the model of a request, for metrics and the log. */
  names(context: Context, model: string): void;
  /** Calls `ended` when the request has ended: its response's head, and its work. */
  onEnd(context: Context, ended: () => void): void;
}

/**
 * A request under way. It ends when its last part does: the response's head, and its work if there is any.
 */
interface TrackedRequest {
  readonly startedMs: number;
  openParts: number;
  status: number;
  readonly facts: RequestFacts;
  /** Called when it has ended. */
  readonly listeners: (() => void)[];
}

export function createRequestTracker(options: TrackerOptions): RequestTracker {
  const { timeoutMs, stallTimeoutMs, metrics, log, logPrompts, routes } = options;
  const requests = new WeakMap<Context, TrackedRequest>();

  function openPart(context: Context): TrackedRequest {
    let request = requests.get(context);
    if (request === undefined) {
      request = { startedMs: performance.now(), openParts: 0, status: 500, facts: {}, listeners: [] };
      requests.set(context, request);
    }
    request.openParts += 1;
    return request;
  }

  function closePart({ req }: Context, request: TrackedRequest): void {
    request.openParts -= 1;
    if (request.openParts > 0) return;
    const { method, path } = req;
    const { facts } = request;
    const durationMs = performance.now() - request.startedMs;
    const status = facts.outcome === "left" ? 499 : request.status;
    // Unknown paths share one label, or clients could create unbounded metrics.
    const route = routes().has(path) ? path : "other";
    metrics.requestSeconds.observe(durationMs / 1000, { route, status, ...modelLabel(facts) });
    log({ method, path, status, ...facts }, durationMs);
    for (const ended of request.listeners) ended();
  }

  return {
    async middleware(context, next): Promise<void> {
      const request = openPart(context);
      try {
        await next();
        request.status = context.res.status;
      } finally {
        closePart(context, request);
      }
    },

    begin(context): Work {
      const request = openPart(context);
      const { facts, startedMs } = request;
      /** Tokens and text so far, by text of the request. */
      const tokens: number[] = [];
      const texts: string[] = [];
      let firstMs: number | undefined;

      const deadline = createDeadline({
        client: context.req.raw.signal,
        timeoutMs,
        onEnd(outcome, reason): void {
          facts.outcome = outcome;
          if (reason instanceof BitNetError) facts.error = reason.code;
          const written = tokens.reduce((sum, count) => sum + count, 0);
          if (written > 0) facts.generatedTokens = written;
          if (logPrompts) facts.texts = texts;
          const longest = Math.max(0, ...tokens);
          if (firstMs !== undefined && longest > 1) {
            const seconds = (performance.now() - firstMs) / (longest - 1) / 1000;
            metrics.tokenSeconds.observe(seconds, modelLabel(facts));
          }
          closePart(context, request);
        },
      });
      return {
        ...deadline,
        stallTimeoutMs,
        started(promptTokens, prompts): void {
          facts.promptTokens = promptTokens;
          if (logPrompts) facts.prompts = prompts();
        },
        wrote(index, text): void {
          tokens[index] = (tokens[index] ?? 0) + 1;
          if (logPrompts) texts[index] = (texts[index] ?? "") + text;
          if (firstMs !== undefined) return;
          firstMs = performance.now();
          facts.firstTokenMs = Math.round(firstMs - startedMs);
          metrics.firstTokenSeconds.observe((firstMs - startedMs) / 1000, modelLabel(facts));
        },
      };
    },

    names(context, model): void {
      const request = requests.get(context);
      if (request !== undefined) request.facts.model = model;
    },

    onEnd(context, ended): void {
      const request = requests.get(context);
      if (request === undefined) ended();
      else request.listeners.push(ended);
    },
  };
}

/** A server with one model has no such label. */
function modelLabel({ model }: RequestFacts): Readonly<Record<string, string>> {
  return model === undefined ? {} : { model };
}
