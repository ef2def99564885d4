import { BitNetError, type BitNetErrorCode } from "../errors.js";

/** What a client is told when its request fails. */
export interface Failure {
  readonly status: 400 | 401 | 403 | 404 | 413 | 429 | 499 | 500 | 503 | 504;
  readonly message: string;
  /** OpenAI's kinds of errors. */
  readonly type:
    | "invalid_request_error"
    | "authentication_error"
    | "permission_error"
    | "rate_limit_error"
    | "server_error";
  /** The field of the request that is wrong. */
  readonly param: string | null;
  readonly code: string | null;
}

type Kind = Pick<Failure, "status" | "type" | "code">;

const kinds: Partial<Record<BitNetErrorCode, Kind>> = {
  INVALID_ARGUMENT: { status: 400, type: "invalid_request_error", code: null },
  CONTEXT_FULL: { status: 400, type: "invalid_request_error", code: "context_length_exceeded" },
  QUEUE_FULL: { status: 429, type: "rate_limit_error", code: "queue_full" },
  OUT_OF_MEMORY: { status: 503, type: "server_error", code: "out_of_memory" },
  WORKER_FAILED: { status: 503, type: "server_error", code: "worker_failed" },
  DISPOSED: { status: 503, type: "server_error", code: "shutting_down" },
  // Nobody reads it: the client has gone.
  ABORTED: { status: 499, type: "server_error", code: "aborted" },
};
/** Clients are told of those only that ran out of time. */
const overdue: Kind = { status: 504, type: "server_error", code: "timeout" };
const unexpected: Kind = { status: 500, type: "server_error", code: "internal_error" };

/** A request that cannot be served as it is. */
export function badRequest(param: string | null, message: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", message, { details: { param } });
}

export function describeFailure(error: unknown): Failure {
  if (!(error instanceof BitNetError)) {
    // What it says is for whoever runs the server, and may name their files.
    return { ...unexpected, message: "The server failed unexpectedly", param: null };
  }
  const { param, timeoutMs } = error.details;
  const special = timeoutMs === undefined ? undefined : overdue;
  return {
    ...(special ?? kinds[error.code] ?? unexpected),
    message: error.message,
    param: typeof param === "string" ? param : null,
  };
}

/** The body of an error: OpenAI's, or Ollama's below `/api`. */
export function failureBody({ message, type, param, code }: Failure, path: string): object {
  return path.startsWith("/api/") ? { error: message } : { error: { message, type, param, code } };
}

export function failureResponse(failure: Failure, path: string): Response {
  const headers: Record<string, string> = {};
  // Places come free at any moment.
  if (failure.status === 429 || failure.code === "loading") headers["Retry-After"] = "1";
  if (failure.status === 401) headers["WWW-Authenticate"] = "Bearer";
  // Answered before the body was read: what is left of it may end the connection, so no other request must be sent on it.
  if (failure.status === 413) headers.Connection = "close";
  return Response.json(failureBody(failure, path), { status: failure.status, headers });
}
