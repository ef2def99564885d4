import { internalsOf } from "../language-model/internals.js";
import type { LanguageModel } from "../language-model/language-model.js";
import type { SchedulerStats } from "../generation/scheduling/scheduler.js";
import { checkWhole, invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { readAccess } from "./access.js";
import type { App } from "./app.js";
import type { ServerState } from "./health.js";
import { createMetrics } from "./metrics.js";
import { addStats, statsOf } from "./models/model-entry.js";
import { createModels, type Models, type ModelsOptions } from "./models/models.js";
import { isLoadable, isSeveral, type PullModel, type ServedModels } from "./models/served-model.js";
import { createRequestLog, type RequestRecord } from "./request-log.js";
import { createRequestTracker, type TrackerOptions } from "./request-tracker.js";
import { type RequestLimits, resolveLimits } from "./requests/limits.js";
import { createService } from "./service.js";

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
   * Key of all routes except health and the chat page. Clients send it as `Authorization: Bearer …` or
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
   * Maximum time in which a client reads nothing of a stream, in milliseconds. After it, the stream is cut,
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
  let routes: ReadonlySet<string> = new Set();
  let app: Promise<App> | undefined;

  /** The routes and their libraries. Programs that import this package to generate text do not load them. */
  async function openApp(): Promise<App> {
    const { createApp } = await import("./app.js");
    const access = { apiKey, origins, hosts };
    const made = createApp({ models, metrics, access, maxBodyBytes, onError, state: () => state });
    ({ routes } = made);
    return made;
  }

  return {
    async fetch(request): Promise<Response> {
      const { fetch } = await (app ??= openApp());
      return fetch(request);
    },
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
