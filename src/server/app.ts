import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { type Access, addHeader, hostCheck, keyCheck, nosniff, originCheck } from "./access.js";
import { Failure, failureOf } from "./failures.js";
import { healthResponse, healthRoutes, type ServerState } from "./health.js";
import type { Metrics, ModelStats } from "./metrics.js";
import { addMissingRoutes } from "./missing-routes.js";
import { addModelRoutes } from "./model-routes.js";
import { statsOf } from "./models/model-entry.js";
import type { Models } from "./models/models.js";
import { chatPage, chatPagePolicy } from "./page.js";
import { failureResponse, protocols } from "./protocols.js";
import { addTokenRoutes } from "./token-routes.js";

/** The routes of a server. */
export interface App {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Patterns of all paths. */
  readonly routes: ReadonlySet<string>;
}

/** The parts of a server that its routes use. */
export interface AppOptions {
  readonly models: Models;
  readonly metrics: Metrics;
  readonly access: Access;
  readonly maxBodyBytes: number;
  readonly onError: ((error: unknown) => void) | undefined;
  readonly state: () => ServerState;
}

/** Builds the routes, and the checks that come before them. */
export function createApp({ models, metrics, access, maxBodyBytes, onError, state }: AppOptions): App {
  const { apiKey, origins, hosts } = access;
  // Clients append paths to an address with or without a slash at its end.
  const app = new Hono({ strict: false });
  app.use(models.tracker.middleware);
  app.use(addHeader(nosniff));
  app.use(async (context, next) => {
    await next();
    // A balancer of connections cannot move one that is kept open.
    if (state() === "draining") context.header("Connection", "close");
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
  for (const [path, failing] of healthRoutes) app.get(path, () => healthResponse(failing, state()));
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
  return { fetch: (request) => app.fetch(request), routes: new Set(app.routes.map(({ path }) => path)) };
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
