import type { FetchedModel, FetchOptions } from "../hub/index.js";
import { refuseUnknownOptions } from "../options/known-options.js";

const knownOptions: Record<keyof FetchOptions, true> = { refresh: true, onProgress: true, signal: true };

/**
 * Returns the local path of a model on the Hugging Face hub or at a URL. The cache answers without a request
 * if it has the model; otherwise the model is downloaded and verified. docs/guide/models-from-the-hub.md
 * describes names, the cache and the environment variables.
 *
 * @param name "hf:owner/repo", "hf:owner/repo/file.gguf", either with "@revision", or an `https:` URL of a
 *   file.
 * @example
 * const { path } = await fetchModel("hf:owner/repo/model.gguf");
 * await using model = await loadModel(path);
 * @throws BitNetError INVALID_ARGUMENT, FILE_NOT_FOUND, ACCESS_DENIED, DOWNLOAD_FAILED, FILE_WRITE,
 *   UNSUPPORTED_FILE. Rejects with `signal.reason`.
 */
export async function fetchModel(name: string, options: FetchOptions = {}): Promise<FetchedModel> {
  refuseUnknownOptions("fetchModel", options, Object.keys(knownOptions));
  // A program that loads local files must not pay for loading the downloader.
  const hub = await import("../hub/index.js");
  return hub.fetchModel(name, options);
}
