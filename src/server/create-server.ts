import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { BitNetError } from "../errors.js";
import { engineOf, type InnerLanguageModel, type LanguageModel } from "../language-model.js";
import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { type ChatTemplate, createChatTemplate } from "../text/chat-template.js";
import { keyCheck, originCheck } from "./access.js";
import { describeFailure, failureResponse } from "./failures.js";
import { addOllama } from "./ollama/routes.js";
import { addOpenAi } from "./openai/routes.js";
import { chatPage, chatPagePolicy } from "./page.js";
import { createPromptLimit } from "./prompt-limit.js";
import type { RequestRecord } from "./request-log.js";
import type { Service } from "./service.js";
import { addTools } from "./tools.js";
import { createWatch } from "./watch.js";

export interface ServerOptions {
  /** What clients call the model. Default: the model's own name. */
  readonly modelName?: string | undefined;
  /** Most texts that are written at the same time, 1 to 256. Default 4. */
  readonly parallel?: number | undefined;
  /** Most requests that wait for a place, from 0. Default 32. One more is answered with 429. */
  readonly queueLimit?: number | undefined;
  /** Required as `Authorization: Bearer …` by every route but `/health` and the chat page. Default: none. */
  readonly apiKey?: string | undefined;
  /** Origins whose pages may use the server from a browser; "*" is all. Default: only the server's own. */
  readonly cors?: string | readonly string[] | undefined;
  /** Largest body of a request, in bytes. Default 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Longest time for a request, its waiting included, in milliseconds; then it is answered with 504, or its stream ends. Default 600000, ten minutes. */
  readonly timeoutMs?: number | undefined;
  /** Told of every request when it is over, but for those to /health and /metrics. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
  /** Whether `onRequest` is told prompts and texts, too. Default false. */
  readonly logPrompts?: boolean | undefined;
  /**
   * Told once when a worker of the model has died: every request fails from then on, /health says so, and the model must be
   * loaded again for a new server.
   */
  readonly onModelFailed?: ((error: unknown) => void) | undefined;
  /** Told of failures that are the server's and not the client's. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** A model behind HTTP, to be mounted wherever requests come in. */
export interface Server extends AsyncDisposable {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** What the texts of this server come to. */
  readonly stats: SchedulerStats;
  /** Ends requests under way and frees their memory; the model stays. Idempotent. */
  dispose(): Promise<void>;
}

/**
 * Serves a model by OpenAI's interface and others (docs/guide/server.md).
 *
 * @example
 * const server = createServer(model, { parallel: 4 });
 * export default { fetch: server.fetch };
 * @throws BitNetError INVALID_ARGUMENT, DISPOSED.
 */
export function createServer(model: LanguageModel, options: ServerOptions = {}): Server {
  const { maxBodyBytes = 4 << 20, apiKey, onError, parallel = 4, queueLimit = 32 } = options;
  checkOptions(options);
  // Refuses what was not made by loadModel; all that was has a tokenizer.
  const engine = engineOf(model);
  let modelFailed = false;
  void engine.failure.then((error) => {
    modelFailed = true;
    options.onModelFailed?.(error);
  });
  const inner = model as InnerLanguageModel;
  const { timeoutMs = 600_000, onRequest, logPrompts = false } = options;
  const watch = createWatch({ timeoutMs, onRequest, logPrompts, routes: () => routes });
  const scheduler = model.createScheduler({ parallel, queueLimit });
  let template: ChatTemplate | undefined;
  const service: Service = {
    model: inner,
    name: options.modelName ?? (model.info.name === "" ? "bitnet" : model.info.name),
    startedAt: new Date(),
    scheduler,
    watch,
    checkTexts: createPromptLimit(inner),
    places: parallel + queueLimit,
    template: () => (template ??= createChatTemplate(inner.tokenizer)),
  };
  const allowed = options.cors === undefined ? [] : [options.cors].flat();

  const app = new Hono();
  app.use(watch.middleware);
  app.onError((error, { req }) => {
    const failure = describeFailure(error);
    if (failure.status >= 500 && failure.code !== "timeout") onError?.(error);
    return failureResponse(failure, req.path);
  });
  app.notFound(({ req }) =>
    failureResponse(
      {
        status: 404,
        message: `There is no ${req.method} ${req.path}`,
        type: "invalid_request_error",
        param: null,
        code: "not_found",
      },
      req.path,
    ),
  );
  if (allowed.length > 0) app.use(cors({ origin: allowed.includes("*") ? "*" : allowed }));
  app.use(originCheck(allowed));
  app.get("/health", (context) =>
    modelFailed ? context.json({ status: "failed" }, 503) : context.json({ status: "ok" }),
  );
  app.get("/", (context) => context.html(chatPage, 200, { "Content-Security-Policy": chatPagePolicy }));
  // Browsers ask for it by themselves.
  app.get("/favicon.ico", (context) => context.body(null, 204));
  if (apiKey !== undefined) app.use(keyCheck(apiKey));
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: ({ req }) =>
        failureResponse(
          {
            status: 413,
            message: `The request's body is too long: at most ${maxBodyBytes} bytes are taken`,
            type: "invalid_request_error",
            param: null,
            code: "body_too_long",
          },
          req.path,
        ),
    }),
  );
  addOpenAi(app, service);
  addOllama(app, service);
  addTools(app, service);
  const routes = new Set(app.routes.map(({ path }) => path));

  return {
    fetch: (request) => app.fetch(request),
    get stats(): SchedulerStats {
      return scheduler.stats;
    },
    dispose: () => scheduler.dispose(),
    [Symbol.asyncDispose]: () => scheduler.dispose(),
  };
}

/** What the scheduler does not check. */
function checkOptions({ apiKey, maxBodyBytes = 1, timeoutMs = 1 }: ServerOptions): void {
  if (apiKey === "") {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Invalid apiKey: it is empty (expected a secret, or none at all)",
      {
        details: { option: "apiKey" },
      },
    );
  }
  // Timers know no more.
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1 || timeoutMs >= 2 ** 31) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid timeoutMs: ${timeoutMs} (expected a whole number from 1 to ${2 ** 31 - 1})`,
      { details: { option: "timeoutMs", value: timeoutMs } },
    );
  }
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Invalid maxBodyBytes: ${maxBodyBytes} (expected a whole number from 1)`,
      { details: { option: "maxBodyBytes", value: maxBodyBytes } },
    );
  }
}
