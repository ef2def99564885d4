import { fileModel, findModel, type OpenableModel } from "../checkpoints/openable-model.js";
import { BitNetError } from "../errors.js";
import type { FetchOptions } from "../hub/index.js";
import { isRemoteName } from "../hub/model-name.js";
import { blobSource, bytesSource } from "../platform/memory-source.js";

/**
 * Where to read a model from:
 *
 * - a path or `file:` URL of a GGUF file, or of a checkpoint folder (config.json, tokenizer.json, safetensors
 *   files);
 * - a name on the Hugging Face hub, such as "hf:owner/repo/file.gguf", or an `https:` URL of a file;
 * - the bytes of a GGUF file, as a Blob, a Uint8Array or an ArrayBuffer.
 */
export type ModelSource = string | URL | Blob | Uint8Array | ArrayBuffer;

/** A bundle of CommonJS has no address. Importing it must not fail, so this has one all the same. */
const packageAddress =
  (import.meta as { readonly url?: string }).url ?? "file:///bundle/dist/language-model/";

/** The model in the package: a small storyteller. A bundle does not contain it. */
export const embeddedModelUrl: URL = new URL("../../models/storyteller.gguf", packageAddress);

/**
 * Downloads a source that has a remote name, unless it is in the cache.
 * @returns a source on this machine.
 */
export async function localSource(
  source: ModelSource,
  options: Pick<FetchOptions, "onProgress" | "signal"> = {},
): Promise<ModelSource> {
  if (!(source instanceof URL || typeof source === "string") || !isRemoteName(String(source))) return source;
  // A program that loads local files must not pay for loading the downloader.
  const { fetchSource } = await import("#hub");
  return fetchSource(String(source), options);
}

/** Finds a source on this machine. @throws BitNetError FILE_NOT_FOUND, INVALID_ARGUMENT. */
export async function findSource(source: ModelSource): Promise<OpenableModel> {
  if (source instanceof Uint8Array) return fileModel(bytesSource(source));
  if (source instanceof ArrayBuffer) return fileModel(bytesSource(new Uint8Array(source)));
  if (source instanceof Blob) return fileModel(blobSource(source));
  if (source instanceof URL || typeof source === "string") {
    const text = String(source);
    if (text === "")
      throw new BitNetError("INVALID_ARGUMENT", "Cannot open a model without a name: the path is empty");
    return findModel(/^file:/i.test(text) && URL.canParse(text) ? new URL(text) : source);
  }
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot open ${String(source)}: expected a path, a URL, a Blob, a Uint8Array or an ArrayBuffer`,
  );
}
