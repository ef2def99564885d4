import { BitNetError, throwIfAborted } from "../errors.js";
import { chooseModel, ggufFiles } from "./choose-files.js";
import type { FetchOptions } from "./fetch-model.js";
import { createHubApi } from "./hub-api.js";
import { formatRemoteName, type HubName, parseRemoteName, publicHub, type RemoteName } from "./model-name.js";
import { type BlobStore, openBlobStore } from "./web-store.js";

/** A piece of a download: each is a file of its own, complete or absent, so a download resumes at a piece. */
const pieceBytes = 32 * 2 ** 20;
const tries = 5;

/** A file to download. */
interface WebFile {
  readonly url: string;
  readonly size: number;
  /** Names the content: pieces of another version are not used. */
  readonly version: string;
}

/**
 * A model by name as a source of `loadModel`, in a browser. It is downloaded in pieces, which the browser
 * keeps in the page's private file system (OPFS). A later call reads them from there, or goes on.
 *
 * @throws BitNetError INVALID_ARGUMENT, DOWNLOAD_FAILED, UNSUPPORTED_FILE; OUT_OF_MEMORY if the browser does
 *   not keep so much; `signal.reason`.
 */
export async function fetchSource(text: string, options: FetchOptions): Promise<string | Blob> {
  const name = parseRemoteName(text);
  throwIfAborted(options.signal);
  const store = await openBlobStore();
  const file = name.kind === "url" ? await describeUrl(name, options) : await describeHubFile(name, options);
  return download(file, formatRemoteName(name), store, options);
}

async function describeUrl(
  name: RemoteName & { readonly kind: "url" },
  options: FetchOptions,
): Promise<WebFile> {
  const { headers } = await request(name.url, { method: "HEAD" }, formatRemoteName(name), options);
  const size = Number(headers.get("content-length") ?? NaN);
  if (!Number.isSafeInteger(size) || size <= 0)
    throw failed(formatRemoteName(name), "the server does not tell the file's size");
  return {
    url: name.url,
    size,
    version: headers.get("etag") ?? headers.get("last-modified") ?? String(size),
  };
}

async function describeHubFile(name: HubName, options: FetchOptions): Promise<WebFile> {
  const asked = formatRemoteName(name);
  const http = {
    send: () => Promise.reject(failed(asked, "a browser cannot read redirects")),
    read: async (url: string) => {
      const response = await request(url, { headers: { accept: "application/json" } }, asked, options);
      return { status: response.status, headers: response.headers, body: await response.blob() };
    },
  };
  const { files } = await createHubApi(publicHub, http, options.signal).listFiles(name);
  const choice =
    name.file === undefined
      ? chooseModel(files)
      : { kind: "gguf" as const, files: ggufFiles(files, name.file) };
  const [file] = choice.kind === "gguf" ? choice.files : [];
  if (choice.kind === "ambiguous") {
    const names = choice.files.map(({ path }) => formatRemoteName({ ...name, file: path }));
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `"${asked}" has several GGUF files: name one of ${names.join(", ")}`,
    );
  }
  if (file?.size === undefined || choice.kind !== "gguf") {
    throw new BitNetError(
      "UNSUPPORTED_FILE",
      `Cannot download "${asked}": there is no such GGUF file in the repository`,
    );
  }
  if (choice.files.length > 1)
    throw new BitNetError(
      "UNSUPPORTED_FILE",
      `Cannot download "${asked}": a browser loads models of one file`,
    );
  return { url: file.url, size: file.size, version: file.version };
}

async function download(
  { url, size, version }: WebFile,
  asked: string,
  store: BlobStore,
  { signal, onProgress, refresh = false }: FetchOptions,
): Promise<Blob> {
  const parts: Blob[] = [];
  const key = `${encodeURIComponent(url)}.${encodeURIComponent(version)}`;
  for (let begin = 0; begin < size; begin += pieceBytes) {
    const end = Math.min(size, begin + pieceBytes);
    const pieceName = `${key}.${begin / pieceBytes}`;
    let piece = refresh ? undefined : await store.find(pieceName);
    if (piece?.size !== end - begin) {
      const range = { range: `bytes=${begin}-${end - 1}` };
      piece = await readPiece(url, range, { asked, begin, end, size, signal });
      piece = await store.keep(pieceName, piece);
    }
    parts.push(piece);
    onProgress?.({ loadedBytes: end, totalBytes: size });
  }
  return new Blob(parts);
}

async function readPiece(
  url: string,
  headers: Record<string, string>,
  task: {
    readonly asked: string;
    readonly begin: number;
    readonly end: number;
    readonly size: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Blob> {
  const { asked, begin, end, size, signal } = task;
  for (let attempt = 1; ; attempt += 1) {
    const response = await request(url, { headers }, asked, { signal });
    const whole = response.status === 200 && size > end - begin;
    try {
      const body = await response.blob();
      // A server without ranges sends the whole file.
      const piece = whole ? body.slice(begin, end) : body;
      if (piece.size === end - begin) return piece;
    } catch (cause) {
      throwIfAborted(signal);
      if (attempt === tries) throw failed(asked, "the connection breaks again and again", cause);
      continue;
    }
    if (attempt === tries) throw failed(asked, `the server sent other bytes than were asked for`);
  }
}

async function request(
  url: string,
  init: { readonly method?: string; readonly headers?: Record<string, string> },
  asked: string,
  { signal }: FetchOptions,
): Promise<Response> {
  let lost: unknown;
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    throwIfAborted(signal);
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
    try {
      const response = await fetch(url, { ...init, ...(signal && { signal }) });
      if (response.ok) return response;
      lost = new Error(`status ${response.status}`);
      if (response.status < 500 && response.status !== 429) {
        const code = response.status === 401 || response.status === 403 ? "ACCESS_DENIED" : "FILE_NOT_FOUND";
        throw new BitNetError(
          code,
          `Cannot download "${asked}": the server answers with status ${response.status}`,
          {
            details: { status: response.status },
          },
        );
      }
    } catch (cause) {
      throwIfAborted(signal);
      if (cause instanceof BitNetError) throw cause;
      lost = cause;
    }
  }
  throw failed(asked, "the server cannot be reached, or it does not allow this page (CORS)", lost);
}

function failed(asked: string, why: string, cause?: unknown): BitNetError {
  return new BitNetError("DOWNLOAD_FAILED", `Cannot download "${asked}": ${why}`, { cause });
}
