import { healthRoutes } from "./health.js";

/** A finished request. It contains no prompts or texts unless `logPrompts` asks for them. */
export interface RequestRecord {
  /** When the request arrived, in ISO 8601. */
  readonly time: string;
  /** Unique id of the record. */
  readonly id: string;
  /** HTTP method. */
  readonly method: string;
  /** Path of the URL, without the query. */
  readonly path: string;
  /** HTTP status of the answer; 499 if the client was gone. */
  readonly status: number;
  /** Name of the model. Only with several models. */
  readonly model?: string;
  /**
   * How the request's work ended: complete, left by the client, over its timeout, or failed. Absent if the
   * request had no work.
   */
  readonly outcome?: "written" | "left" | "overdue" | "failed";
  /** Milliseconds from the request to the end of the answer. */
  readonly durationMs: number;
  /** Time to the first token. */
  readonly firstTokenMs?: number;
  /** Tokens of its prompts. */
  readonly promptTokens?: number;
  /** Tokens of its texts. */
  readonly generatedTokens?: number;
  /** Code of the failure, such as "WORKER_FAILED". */
  readonly error?: string;
  /** Its prompts. Only with `logPrompts`. */
  readonly prompts?: readonly string[];
  /** Its generated texts. Only with `logPrompts`. */
  readonly texts?: readonly string[];
}

/** The facts that a request collects while it runs. */
export type RequestFacts = {
  -readonly [
    K in keyof Omit<RequestRecord, "time" | "id" | "method" | "path" | "status" | "durationMs">
  ]: RequestRecord[K];
};

/** Probes arrive every few seconds and would fill the log. */
const unlogged = new Set([...healthRoutes.keys(), "/metrics"]);

/** Writes the record of a finished request. */
export type RequestLog = (
  request: Pick<RequestRecord, "method" | "path" | "status"> & RequestFacts,
  durationMs: number,
) => void;

export function createRequestLog(onRequest: ((record: RequestRecord) => void) | undefined): RequestLog {
  return (request, durationMs) => {
    if (unlogged.has(request.path)) return;
    onRequest?.({
      time: new Date(Date.now() - durationMs).toISOString(),
      id: crypto.randomUUID(),
      ...request,
      durationMs: Math.round(durationMs),
    });
  };
}
