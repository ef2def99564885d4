import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { internalsOf } from "../language-model/internals.js";
import type { LanguageModel } from "../language-model/language-model.js";
import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { checkWhole, invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { addHeader, hostCheck, keyCheck, nosniff, originCheck, readAccess } from "./access.js";
import { Failure, failureOf } from "./failures.js";
import { healthResponse, healthRoutes, type ServerState } from "./health.js";
import { createMetrics, type ModelStats } from "./metrics.js";
import { addMissingRoutes } from "./missing-routes.js";
import { addModelRoutes } from "./model-routes.js";
import { addStats, statsOf } from "./models/model-entry.js";
import { createModels, type Models, type ModelsOptions } from "./models/models.js";
import { isLoadable, isSeveral, type PullModel, type ServedModels } from "./models/served-model.js";
import { chatPage, chatPagePolicy } from "./page.js";
import { failureResponse, protocols } from "./protocols.js";
import { createRequestLog, type RequestRecord } from "./request-log.js";
import { createRequestTracker, type TrackerOptions } from "./request-tracker.js";
import { type RequestLimits, resolveLimits } from "./requests/limits.js";
import { createService } from "./service.js";
import { addTokenRoutes } from "./token-routes.js";

/** Options of `createServer`. */
export interface ServerOptions {
  /** The model's name for clients. Default: the model's own name. Not with several models. */
  readonly modelName?: string | undefined;
  /** Maximum number of texts that a model writes at the same time, 1 to 256. Default: 4. */
  readonly parallel?: number | undefined;
  /**
   * Maximum number of requests that wait for a slot, from 0. A further request is answered with 429. Default:
   * 32.
   */
  readonly queueLimit?: number | undefined;
  /**
   * Every route but those of health and the chat page requires it, as `Authorization: Bearer …` or
   * `x-api-key: …`. White space around it is dropped. Default: no key.
   */
  readonly apiKey?: string | undefined;
  /**
   * Origins whose pages may use the server from a browser, such as "https://app.example" or
   * "chrome-extension://*"; "*" is all. Default: only the server's own.
   */
  readonly cors?: string | readonly string[] | undefined;
  /**
   * Host names under which requests may address a server without a key, such as "box.example"; "*" is all.
   * Addresses and localhost are always allowed. Other names are refused with 403: a web page could rebind its
   * own name to this machine. Default: none.
   */
  readonly allowHosts?: string | readonly string[] | undefined;
  /** Maximum size of a request's body, in bytes. Default: 4 MiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Limits of a request's parts. A request beyond one is answered with 400. */
  readonly limits?: Partial<RequestLimits> | undefined;
  /**
   * Maximum time of a request, its wait included, in milliseconds. After it, the answer is 504, or the stream
   * ends with an error. Default: 600000, ten minutes.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Maximum time in which a client takes nothing of a stream, in milliseconds. After it, the stream is cut,
   * and its slot is free. Default: 30000.
   */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * How long a model that was loaded on demand stays without requests, in milliseconds. 0 lets it go at once,
   * Infinity keeps it. Ollama's `keep_alive` of a request overrides it. Default: 300000, five minutes.
   */
  readonly keepAliveMs?: number | undefined;
  /**
   * Maximum number of models that are loaded on demand, from 1. The one that was used least recently is let
   * go for another. Default: as many as fit the memory.
   */
  readonly maxLoaded?: number | undefined;
  /**
   * Downloads models for `/api/pull`. It gets names on the hub only. The server then counts as one with
   * several models. Default: clients cannot download models.
   */
  readonly pull?: PullModel | undefined;
  /** Receives every finished request, except those of probes and `/metrics`. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
  /** Whether `onRequest` also receives prompts and texts. Default: false. */
  readonly logPrompts?: boolean | undefined;
  /**
   * Receives the error when a worker of a model that stays loaded dies, once. From then on every request
   * fails and `/health` says so. Load the model again, for a new server. A model that was loaded on demand is
   * loaded again, and `onError` receives the error.
   */
  readonly onModelFailed?: ((error: unknown) => void) | undefined;
  /** Receives failures of the server itself. Failures caused by a client are not reported. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Models behind HTTP. `fetch` can be mounted in any server that takes a fetch handler. */
export interface Server extends AsyncDisposable {
  /** Answers one request. Mount it wherever requests come in. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Numbers about the texts of this server. */
  readonly stats: SchedulerStats;
  /**
   * Answers `/health/ready` with 503 from now on, so that a balancer chooses other servers. Requests are
   * still served, and each answer closes its connection. Idempotent.
   */
  drain(): void;
  /**
   * Ends running requests and frees their memory, and the models that were loaded on demand. Others stay
   * loaded. Idempotent.
   */
  dispose(): Promise<void>;
}

/**
 * Serves one model or several in the protocols of OpenAI, Anthropic and Ollama (docs/guide/server.md).
 *
 * @param served a model, or models by name. A model with `load` is loaded when a request needs it.
 * @example
 * const server = createServer(model, { parallel: 4 });
 * export default { fetch: server.fetch };
 * @example
 * const teller = { load: () => loadModel(), inspect: () => inspectModel() };
 * const several = createServer({ models: { teller, other: model } });
 * @throws BitNetError INVALID_ARGUMENT, DISPOSED.
 */
export function createServer(served: LanguageModel | ServedModels, options: ServerOptions = {}): Server {
  checkOptions(options);
  const { maxBodyBytes = 4 << 20, onError } = options;
  const { apiKey, origins, hosts } = readAccess(options);
  let state: ServerState = "ok";
  for (const model of keptModels(served)) {
    void internalsOf(model).engine.failure.then((error) => {
      state = "failed";
      options.onModelFailed?.(error);
    });
  }
  const metrics = createMetrics();
  const models = openModels(served, options, { metrics, routes: () => routes });
  const { tracker } = models;

  // Clients append paths to an address with or without a slash at its end.
  const app = new Hono({ strict: false });
  app.use(tracker.middleware);
  app.use(addHeader(nosniff));
  app.use(async (context, next) => {
    await next();
    // A balancer of connections cannot move one that is kept open.
    if (state === "draining") context.header("Connection", "close");
  });
  app.onError((error, { req }) => {
    const failure = failureOf(error);
    if (failure.status >= 500 && !expected.has(failure.code)) onError?.(error);
    return failureResponse(failure, req.path);
  });
  app.notFound(({ req: { method, path } }) => failureResponse(noRoute(method, path), path));
  if (hosts !== undefined) app.use(hostCheck(hosts));
  if (origins.size > 0) {
    const allows = (origin: string): string | null => (origins.allows(origin) ? origin : null);
    app.use(cors({ origin: origins.allowsAll ? "*" : allows }));
  }
  app.use(originCheck(origins));
  for (const [path, failing] of healthRoutes) app.get(path, () => healthResponse(failing, state));
  app.get("/", async (context) =>
    context.html(chatPage(), 200, { "Content-Security-Policy": await chatPagePolicy() }),
  );
  // Browsers request it with every page.
  app.get("/favicon.ico", (context) => context.body(null, 204));
  if (apiKey !== undefined) app.use(keyCheck(apiKey));
  app.use(bodyLimit({ maxSize: maxBodyBytes, onError: () => refuseBody(maxBodyBytes) }));
  for (const addRoute of protocols.flatMap((protocol) => protocol.routes)) addRoute(app, models);
  addTokenRoutes(app, models);
  addModelRoutes(app, models);
  addMissingRoutes(app);
  app.get("/metrics", (context) => {
    context.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return context.body(metrics.render(statsByModel(models)));
  });
  const routes = new Set(app.routes.map(({ path }) => path));

  return {
    fetch: (request) => app.fetch(request),
    get stats(): SchedulerStats {
      return addStats(models.entries().map(statsOf));
    },
    drain(): void {
      if (state === "ok") state = "draining";
    },
    dispose: () => models.dispose(),
    [Symbol.asyncDispose]: () => models.dispose(),
  };
}

/** The models that the caller has loaded. */
function keptModels(served: LanguageModel | ServedModels): LanguageModel[] {
  if (!isSeveral(served)) return [served];
  return Object.values(served.models).flatMap((model) => (isLoadable(model) ? [] : [model]));
}

function openModels(
  served: LanguageModel | ServedModels,
  options: ServerOptions,
  watched: Pick<TrackerOptions, "metrics" | "routes">,
): Models {
  const { parallel = 4, queueLimit = 32, logPrompts = false, onError } = options;
  const {
    timeoutMs = 600_000,
    stallTimeoutMs = 30_000,
    keepAliveMs = 300_000,
    maxLoaded = Infinity,
  } = options;
  const log = createRequestLog(options.onRequest);
  const tracker = createRequestTracker({ ...watched, timeoutMs, stallTimeoutMs, log, logPrompts });
  const limits = resolveLimits(options.limits);
  return createModels({
    served: asServed(served, options),
    createService: (name, model) => createService(name, model, { parallel, queueLimit, tracker, limits }),
    startedAt: new Date(),
    parallel,
    capacity: parallel + queueLimit,
    limits,
    tracker,
    timeoutMs,
    stallTimeoutMs,
    keepAliveMs,
    maxLoaded,
    pull: options.pull,
    onFailure: (error) => onError?.(error),
  });
}

function asServed(
  served: LanguageModel | ServedModels,
  { modelName, pull }: ServerOptions,
): ModelsOptions["served"] {
  if (isSeveral(served)) {
    if (modelName === undefined) return served;
    throw invalidOption("modelName", modelName, "none: several models have the names in models");
  }
  const { name: own } = served.info;
  const name = modelName ?? (own === "" ? "bitnet" : own);
  // Models that are downloaded need names that tell them apart.
  return pull === undefined ? { name, model: served } : { models: { [name]: served } };
}

function statsByModel(models: Models): ModelStats[] {
  return models.entries().map((entry) => ({
    labels: models.isSingle ? {} : { model: entry.name },
    stats: statsOf(entry),
    isLoaded: entry.loaded !== undefined,
  }));
}

/** Codes of statuses from 500 that are no fault of the server. */
const expected: ReadonlySet<string | null> = new Set(["timeout", "not_implemented", "model_load_failed"]);

function noRoute(method: string, path: string): Failure {
  const advice =
    method === "OPTIONS"
      ? ": browsers ask it for pages of other origins; start the server with --cors and the page's origin to allow them"
      : "";
  return new Failure(404, "not_found", `There is no ${method} ${path}${advice}`);
}

function refuseBody(maxBytes: number): never {
  const message = `The request's body is too long: at most ${maxBytes} bytes are taken`;
  throw new Failure(413, "body_too_long", message);
}

const knownOptions: Record<keyof ServerOptions, true> = {
  modelName: true,
  parallel: true,
  queueLimit: true,
  apiKey: true,
  cors: true,
  allowHosts: true,
  maxBodyBytes: true,
  limits: true,
  timeoutMs: true,
  stallTimeoutMs: true,
  keepAliveMs: true,
  maxLoaded: true,
  pull: true,
  onRequest: true,
  logPrompts: true,
  onModelFailed: true,
  onError: true,
};

/** Checks every option that `readAccess` does not check. */
function checkOptions(options: ServerOptions): void {
  refuseUnknownOptions("createServer", options, Object.keys(knownOptions));
  const { parallel = 1, queueLimit = 0, maxBodyBytes = 1, maxLoaded = 1, keepAliveMs = 0 } = options;
  checkWhole("parallel", parallel, 1, 256);
  checkWhole("queueLimit", queueLimit, 0, 1 << 20);
  checkWhole("maxBodyBytes", maxBodyBytes, 1);
  checkWhole("maxLoaded", maxLoaded, 1);
  if (keepAliveMs !== Infinity) checkWhole("keepAliveMs", keepAliveMs, 0);
  for (const name of ["timeoutMs", "stallTimeoutMs"] as const) {
    // setTimeout overflows above 2^31 − 1 ms.
    checkWhole(name, options[name] ?? 1, 1, 2 ** 31 - 1);
  }
}
