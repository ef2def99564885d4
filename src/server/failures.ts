import { BitNetError, type BitNetErrorCode } from "../errors.js";

/** HTTP statuses of failures. 499 is nginx's number for a client that closed the connection. */
export type FailureStatus = 400 | 401 | 403 | 404 | 413 | 429 | 499 | 500 | 501 | 503 | 504;

/** A failed request. Each protocol writes it in its own form (`Protocol.failureBody`). */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly status: FailureStatus;
  /** For programs, such as "queue_full"; null if the message says all. */
  readonly code: string | null;
  /** The wrong field of the request, such as "messages.0.role". */
  readonly param: string | null;

  constructor(status: FailureStatus, code: string | null, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** @param param the wrong field; null is the whole body. */
export function badRequest(param: string | null, message: string): Failure {
  return new Failure(400, null, message, param);
}

/** Statuses and codes of the library's errors. All other errors are the server's own fault. */
const statuses: Partial<Record<BitNetErrorCode, readonly [FailureStatus, string | null]>> = {
  INVALID_ARGUMENT: [400, null],
  CONTEXT_FULL: [400, "context_length_exceeded"],
  QUEUE_FULL: [429, "queue_full"],
  OUT_OF_MEMORY: [503, "out_of_memory"],
  WORKER_FAILED: [503, "worker_failed"],
  DISPOSED: [503, "shutting_down"],
  // Only the log shows it: the client is gone.
  ABORTED: [499, "aborted"],
};

/** Turns anything that a route throws into a failure. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  // The message is for the operator: it may contain paths of files.
  if (!(error instanceof BitNetError)) {
    return new Failure(500, "internal_error", "The server failed unexpectedly");
  }
  // Only timeouts are reported; after any other abort the client is gone.
  if (error.details.timeoutMs !== undefined) return new Failure(504, "timeout", error.message);
  const [status, code] = statuses[error.code] ?? [500, "internal_error"];
  return new Failure(status, code, error.message);
}
