import { BitNetError, throwIfAborted } from "../errors.js";
import { chooseModel, ggufFiles } from "./choose-files.js";
import type { FetchOptions } from "./fetch-model.js";
import { createHubApi } from "./hub-api.js";
import { formatRemoteName, type HubName, parseRemoteName, publicHub, type RemoteName } from "./model-name.js";
import { downloadPieces, storedName, type WebFile } from "./web-download.js";
import { withLock } from "./web-lock.js";
import { downloadFailed, request } from "./web-request.js";
import { openBlobStore } from "./web-store.js";

/**
 * A model by name as a source of `loadModel`, in a browser. It is downloaded in pieces, which the browser
 * keeps in the page's private file system (OPFS). A later call reads them from there, or goes on. The hub's
 * checksum is verified.
 *
 * @throws BitNetError INVALID_ARGUMENT, DOWNLOAD_FAILED, ACCESS_DENIED, FILE_NOT_FOUND, UNSUPPORTED_FILE;
 *   FILE_WRITE if the browser does not keep so much; `signal.reason`.
 */
export async function fetchSource(text: string, options: FetchOptions): Promise<string | Blob> {
  const name = parseRemoteName(text);
  throwIfAborted(options.signal);
  const file = name.kind === "url" ? await describeUrl(name, options) : await describeHubFile(name, options);
  const store = await openBlobStore();
  // A second tab waits, and finds the pieces of the first.
  return withLock(storedName(file), options.signal, () =>
    downloadPieces(file, formatRemoteName(name), store, options),
  );
}

async function describeUrl(
  name: RemoteName & { readonly kind: "url" },
  options: FetchOptions,
): Promise<WebFile> {
  const { headers } = await request(name.url, { method: "HEAD" }, formatRemoteName(name), options.signal);
  const size = Number(headers.get("content-length") ?? NaN);
  if (!Number.isSafeInteger(size) || size <= 0)
    throw downloadFailed(formatRemoteName(name), "the server does not tell the file's size");
  return {
    url: name.url,
    size,
    version: headers.get("etag") ?? headers.get("last-modified") ?? String(size),
    sha256: undefined,
  };
}

async function describeHubFile(name: HubName, options: FetchOptions): Promise<WebFile> {
  const asked = formatRemoteName(name);
  const http = {
    send: () => Promise.reject(downloadFailed(asked, "a browser cannot read redirects")),
    read: async (url: string) => {
      const response = await request(url, { headers: { accept: "application/json" } }, asked, options.signal);
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
  const { url, size, version, checksum } = file;
  return { url, size, version, sha256: checksum?.algorithm === "sha256" ? checksum.expected : undefined };
}
