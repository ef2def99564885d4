import { BitNetError, throwIfAborted } from "../errors.js";
import type { Server } from "../server/create-server.js";
import { sha256Hex } from "../platform/node-checksums.js";
import { type BatchRequest, type Fields, isObject } from "./request.js";
import type { BatchAnswer } from "./result.js";

/** Answers one request. @throws BitNetError if the server cannot answer any request now. */
export type AnswerRequest = (request: BatchRequest, signal: AbortSignal) => Promise<BatchAnswer>;

/** The server's own host. The request never leaves the process. */
const origin = "http://localhost";
/** The server is stopping, full or broken: no fault of the request. */
const outageStatuses = new Set([429, 499, 503]);

/** Answers requests by the routes of a server, as over HTTP. */
export function createAnswerer(server: Pick<Server, "fetch">): AnswerRequest {
  const known = new Map<string, Promise<boolean>>();

  /** Whether the server has a POST route. Each route refuses a body that is not JSON, and does nothing. */
  function isRoute(url: string): Promise<boolean> {
    const asked =
      known.get(url) ??
      Promise.resolve(server.fetch(new Request(origin + url, { method: "POST", body: "" }))).then(
        ({ status }) => status !== 404 && status !== 405,
      );
    known.set(url, asked);
    return asked;
  }

  return async (request, signal) => {
    const { id, url } = request;
    if (!(await isRoute(url))) {
      return failed(
        "unknown_url",
        `its url is ${JSON.stringify(url)}, and the server has no such POST route`,
      );
    }
    const response = await server.fetch(
      new Request(origin + url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(completeBody(request)),
        signal,
      }),
    );
    const text = await response.text();
    throwIfAborted(signal);
    const body = readBody(text);
    const { status } = response;
    if (outageStatuses.has(status)) throw outage(status, body);
    if (body === undefined) return failed("invalid_answer", `${url} did not answer with one JSON object`);
    const requestId = id.replace("batch_req_", "req_");
    return { response: { status_code: status, request_id: requestId, body }, error: null };
  };
}

function readBody(text: string): Fields | undefined {
  try {
    const body = JSON.parse(text) as unknown;
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function failed(code: string, message: string): BatchAnswer {
  return { response: null, error: { code, message } };
}

function outage(status: number, body: Fields | undefined): BitNetError {
  const error = isObject(body?.error) ? body.error.message : body?.error;
  const why = typeof error === "string" ? error : `status ${status}`;
  return new BitNetError("BATCH_FAILED", `Cannot answer more requests: ${why}`, { details: { status } });
}

type CompleteBody = (body: Fields, seed: number) => Fields;

/**
 * Routes whose defaults differ in a batch. A request without a seed gets one from its custom_id, so that a
 * batch gives the same texts in every run and on every worker. Ollama's routes stream by default.
 */
const bodies: Readonly<Record<string, CompleteBody>> = {
  "/chat/completions": seededBody,
  "/completions": seededBody,
  "/api/chat": ollamaBody,
  "/api/generate": ollamaBody,
};

function completeBody({ url, body, customId }: BatchRequest): Fields {
  const complete = bodies[url.replace(/^\/v1(?=\/)/, "").replace(/\/$/, "")];
  return complete?.(body, Number.parseInt(sha256Hex(customId).slice(0, 8), 16)) ?? body;
}

function seededBody(body: Fields, seed: number): Fields {
  return { ...body, seed: body.seed ?? seed };
}

function ollamaBody(body: Fields, seed: number): Fields {
  const options = body.options ?? {};
  // The server refuses options that are not an object.
  return { ...body, stream: false, options: isObject(options) ? seededBody(options, seed) : options };
}
