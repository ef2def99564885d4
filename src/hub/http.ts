import { BitNetError, abortReason, throwIfAborted } from "../errors.js";
import { createPatience, passingFailure } from "./patience.js";
import type { Timing } from "./timing.js";

export interface HttpOptions {
  /** Start of messages: `Cannot download "hf:…"`. */
  readonly attempt: string;
  /** The token goes to this origin only, never to the target of a redirect. */
  readonly credentials: { readonly origin: string; readonly token: string } | undefined;
  /** Turns a final refusal into an error. */
  readonly explain: (refusal: Refusal) => Promise<BitNetError>;
  readonly timing: Timing;
  readonly signal: AbortSignal | undefined;
}

export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  /** Whether it comes from the requested origin, not from a redirect's target. */
  readonly fromAsked: boolean;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses to return like success, instead of failing. */
  readonly alsoAccept?: readonly number[];
  /** Return a cross-origin redirect instead of following it: its headers are all we need. */
  readonly stopAtRedirect?: (headers: Headers) => boolean;
}

/** An answer. Its chunks must be read to their end, or discarded. */
export interface Reply {
  readonly status: number;
  /** Headers of the answer, and of the first answer, which may be a redirect. */
  readonly headers: Headers;
  readonly firstHeaders: Headers;
  readonly redirected: boolean;
  /** @throws BitNetError DOWNLOAD_FAILED with `details.passing` if the connection breaks; `signal.reason`. */
  chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>;
  discard(): Promise<void>;
}

/** Sends requests until they are answered. Lost connections and busy servers are retried. */
export interface Http {
  /**
   * @throws BitNetError DOWNLOAD_FAILED without an answer; the error of `explain` for a refusal;
   *   `signal.reason`.
   */
  send(url: string, request: HttpRequest): Promise<Reply>;
  /**
   * Sends a request for a short answer. Repeats it if the connection breaks before the end.
   * @throws BitNetError DOWNLOAD_FAILED also if the answer is longer than `maxBytes`.
   */
  read(url: string, request: HttpRequest, maxBytes: number): Promise<ShortReply>;
}

export interface ShortReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Blob;
}

const maxRedirects = 10;

export function createHttp(options: HttpOptions): Http {
  const { timing, signal } = options;
  async function insist<T>(attempt: () => Promise<T>): Promise<T> {
    const patience = createPatience(timing.requestTries, timing, signal);
    for (;;) {
      try {
        return await attempt();
      } catch (failure) {
        await patience.wait(failure);
      }
    }
  }
  return {
    send: (url, request) => insist(() => sendOnce(url, request, options)),
    read: (url, request, maxBytes) =>
      insist(async () => readShort(await sendOnce(url, request, options), maxBytes, options)),
  };
}

async function readShort(reply: Reply, maxBytes: number, options: HttpOptions): Promise<ShortReply> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of reply.chunks()) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw failed(options, `an answer that should be short is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: reply.status, headers: reply.headers, body: new Blob(chunks) };
}

async function sendOnce(url: string, request: HttpRequest, options: HttpOptions): Promise<Reply> {
  const asked = new URL(url);
  let target = asked;
  let firstHeaders: Headers | undefined;
  for (let hops = 0; hops <= maxRedirects; hops += 1) {
    const connection = openConnection(options);
    const response = await connection.fetch(target, request);
    firstHeaders ??= response.headers;
    const location = redirectTarget(response, target, options);
    const reply = createReply(response, { firstHeaders, redirected: target !== asked, connection });
    if (location === undefined) {
      if (response.ok || request.alsoAccept?.includes(response.status) === true) return reply;
      await reply.discard();
      throw await explainStatus(response, target, asked, options);
    }
    const leaves = location.origin !== target.origin;
    if (leaves && request.stopAtRedirect?.(response.headers) === true) return reply;
    await reply.discard();
    target = location;
  }
  throw failed(options, `${asked.host} redirects more than ${maxRedirects} times`);
}

function redirectTarget(response: Response, from: URL, options: HttpOptions): URL | undefined {
  const location = response.headers.get("location");
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined;
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const secure = target?.protocol === "https:" || (target?.protocol === "http:" && from.protocol === "http:");
  if (target !== undefined && secure && target.username === "" && target.password === "") return target;
  throw failed(options, `${from.host} redirects to an address that is not safe to follow`);
}

type BodyReader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/** One request and its answer. Ends when the signal fires, or when no byte arrives for too long. */
interface Connection {
  fetch(url: URL, request: HttpRequest): Promise<Response>;
  read(reader: BodyReader): ReturnType<BodyReader["read"]>;
  end(): void;
  failure(host: string, cause: unknown): unknown;
}

function openConnection(options: HttpOptions): Connection {
  const { timing, signal, credentials, attempt } = options;
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal === undefined ? undefined : abortReason(signal));
  signal?.addEventListener("abort", stop, { once: true });
  const seconds = Math.round(timing.silenceMs / 1000);
  const silence = new Error(`no byte arrived for ${seconds} seconds`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  function listen(): void {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(silence), timing.silenceMs);
  }

  const connection: Connection = {
    async fetch(url, { method, headers }): Promise<Response> {
      throwIfAborted(signal);
      listen();
      try {
        const response = await fetch(url, {
          method,
          headers: {
            // Length and offset of every byte must be those of the file itself.
            "accept-encoding": "identity",
            "user-agent": "bitnet-wasm",
            ...headers,
            ...(credentials?.origin === url.origin ? { authorization: `Bearer ${credentials.token}` } : {}),
          },
          redirect: "manual",
          signal: controller.signal,
        });
        clearTimeout(timer);
        return response;
      } catch (cause) {
        connection.end();
        throw connection.failure(url.host, cause);
      }
    },
    async read(reader) {
      listen();
      const result = await reader.read();
      // The consumer may take as long as it needs.
      clearTimeout(timer);
      return result;
    },
    end(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    },
    failure(host, cause): unknown {
      if (signal?.aborted === true) return abortReason(signal);
      const why = controller.signal.aborted ? silence.message : reasonOf(cause);
      if (isDistrust(cause)) {
        return new BitNetError(
          "DOWNLOAD_FAILED",
          `${attempt}: the certificate of ${host} is not trusted (${why}); behind a proxy with its own certificate, name that file in NODE_EXTRA_CA_CERTS`,
          { cause },
        );
      }
      return passingFailure(
        `${attempt}: no connection to ${host} (${why}); check the network${host === "huggingface.co" ? ", or name a mirror in HF_ENDPOINT" : ""}`,
        { cause },
      );
    },
  };
  return connection;
}

function createReply(
  response: Response,
  {
    firstHeaders,
    redirected,
    connection,
  }: { readonly firstHeaders: Headers; readonly redirected: boolean; readonly connection: Connection },
): Reply {
  const reader = response.body?.getReader();
  const host = URL.canParse(response.url) ? new URL(response.url).host : "the server";
  async function discard(): Promise<void> {
    connection.end();
    await reader?.cancel().catch(() => undefined);
  }
  return {
    status: response.status,
    headers: response.headers,
    firstHeaders,
    redirected,
    async *chunks() {
      try {
        while (reader !== undefined) {
          const { done, value } = await connection.read(reader);
          if (done) return;
          yield value;
        }
      } catch (cause) {
        throw connection.failure(host, cause);
      } finally {
        await discard();
      }
    },
    discard,
  };
}

async function explainStatus(
  response: Response,
  from: URL,
  asked: URL,
  options: HttpOptions,
): Promise<BitNetError> {
  const { status, headers } = response;
  if (status !== 408 && status !== 429 && status < 500) {
    return options.explain({ status, headers, fromAsked: from.origin === asked.origin });
  }
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"));
  const wait =
    retryAfterMs === undefined ? "later" : `in ${Math.max(1, Math.round(retryAfterMs / 1000))} seconds`;
  const what = status === 429 ? "gets too many requests" : "has an internal error";
  return passingFailure(`${options.attempt}: ${from.host} ${what} (status ${status}); try again ${wait}`, {
    status,
    retryAfterMs,
  });
}

/** Seconds, or a date. */
function parseRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function failed({ attempt }: HttpOptions, why: string): BitNetError {
  return new BitNetError("DOWNLOAD_FAILED", `${attempt}: ${why}`);
}

/** `fetch` says only "fetch failed". The reason is in a chain of causes. */
function reasonOf(error: unknown): string {
  const { code, cause, errors, message } = error as {
    readonly code?: unknown;
    readonly cause?: unknown;
    readonly errors?: readonly unknown[];
    readonly message?: unknown;
  };
  if (typeof code === "string") return code;
  const inner = cause ?? errors?.[0];
  if (inner !== undefined) return reasonOf(inner);
  return typeof message === "string" ? message : String(error);
}

function isDistrust(error: unknown): boolean {
  return /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_CERT)/.test(reasonOf(error));
}
