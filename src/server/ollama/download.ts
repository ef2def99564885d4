import { sha256 } from "hono/utils/crypto";
import { BitNetError, type BitNetErrorCode } from "../../errors.js";
import type { FetchProgress } from "../../hub/index.js";
import { Failure, failureOf, type FailureStatus } from "../failures.js";
import type { PullOptions } from "../models/served-model.js";
import { streamingResponse } from "../streaming-response.js";
import { failureBody } from "./failure-body.js";

/** A download under way. */
export interface Download {
  /** Lines about it, in Ollama's words, without the last. Throws the failure of the download. */
  readonly lines: AsyncGenerator<object, void, void>;
  /** Stops it. A later one goes on where it was. */
  stop(): void;
}

/** Progress bars need no more than ten lines a second. */
const lineMs = 100;

/**
 * @param name of the model, for the lines.
 * @param client stops the download when the client leaves.
 */
export function startDownload(
  name: string,
  client: AbortSignal,
  run: (options: PullOptions) => Promise<void>,
): Download {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new BitNetError("ABORTED", "The client has gone away"));
  client.addEventListener("abort", stop, { once: true });
  let progress: FetchProgress | undefined;
  const done = run({ signal: stopping.signal, onProgress: (now) => (progress = now) }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );

  async function* lines(): AsyncGenerator<object, void, void> {
    // It names the model: the files' own checksums are known to the hub client only.
    const digest = `sha256:${await sha256(name)}`;
    const line = ({ loadedBytes, totalBytes }: FetchProgress): object => ({
      status: `pulling ${name}`,
      digest,
      total: totalBytes,
      completed: loadedBytes,
    });
    let sent: FetchProgress | undefined;
    for (let isDone = false; !isDone;) {
      isDone = await settlesWithin(done, lineMs);
      if (progress === undefined || progress === sent) continue;
      sent = progress;
      yield line(progress);
    }
    client.removeEventListener("abort", stop);
    const failed = await done;
    if (failed !== undefined) throw pullFailure(name, failed.error);
    yield { status: "verifying sha256 digest" };
    yield { status: "writing manifest" };
  }
  return { lines: lines(), stop };
}

/** Answers a pull. @param download undefined if the model is there already. */
export async function downloadResponse(
  download: Download | undefined,
  { stream, stallTimeoutMs }: { readonly stream: boolean; readonly stallTimeoutMs: number },
): Promise<Response> {
  const stop = (): void => download?.stop();
  async function* lines(): AsyncGenerator<string, void, void> {
    const line = (event: object): string => `${JSON.stringify(event)}\n`;
    try {
      yield line({ status: "pulling manifest" });
      for await (const event of download?.lines ?? []) yield line(event);
      yield line({ status: "success" });
    } catch (error) {
      yield line(failureBody(failureOf(error)));
    } finally {
      stop();
    }
  }
  if (!stream) {
    const events = download?.lines[Symbol.asyncIterator]();
    while ((await events?.next())?.done === false) continue;
    return Response.json({ status: "success" });
  }
  // A download takes as long as it takes.
  const timedOut = new AbortController().signal;
  return streamingResponse(lines(), "application/x-ndjson", { timedOut, leave: stop, stallTimeoutMs });
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const result = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return result;
}

/** Statuses of a failed download. The messages of these codes name the hub's files, and no local paths. */
const statuses: Partial<Record<BitNetErrorCode, FailureStatus>> = {
  INVALID_ARGUMENT: 400,
  UNSUPPORTED_FILE: 400,
  ACCESS_DENIED: 403,
  FILE_NOT_FOUND: 404,
  DOWNLOAD_FAILED: 503,
};

function pullFailure(name: string, error: unknown): unknown {
  const code = error instanceof BitNetError ? error.code : undefined;
  const status = code === undefined ? undefined : statuses[code];
  if (error instanceof BitNetError && status !== undefined) {
    return new Failure(status, "pull_failed", error.message);
  }
  const shown = code === undefined ? "" : ` (${code})`;
  return new Failure(500, "pull_failed", `Cannot pull "${name}"${shown}: the server's log has the reason`);
}
