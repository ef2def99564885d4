import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BitNetError } from "../errors.js";
import type { FetchedModel, FetchOptions } from "../hub/index.js";
import { isRemoteName } from "../hub/model-name.js";
import { embeddedModelUrl } from "../language-model/find-source.js";
import { createProgressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";

/** The name of the embedded model, for commands that need one. A file of this name is preferred. */
const embeddedName = "storyteller";

/**
 * The meaning of a command's [model]: a path, or a name that `isRemoteName` knows. `owner/repo` is a name on
 * the hub unless there is such a path.
 *
 * @throws BitNetError FILE_NOT_FOUND if it can be neither.
 */
export function modelMeant(model: string): string {
  if (isRemoteName(model) || /^file:/i.test(model) || existsSync(model)) return model;
  if (model === embeddedName) return fileURLToPath(embeddedModelUrl);
  if (/^\w[\w.-]*\/\w[\w.-]*(@[\w.-]+)?$/.test(model) && !/\.gguf$/i.test(model)) return `hf:${model}`;
  throw new BitNetError(
    "FILE_NOT_FOUND",
    `Cannot open "${model}": there is no such file. The first argument is the model: a GGUF file, a checkpoint ` +
      `folder, "hf:owner/repo" or "${embeddedName}"${/\s/.test(model) ? "; give a text with -p" : ""}`,
  );
}

/**
 * The local path of a model that a command names. Names on the hub and URLs are downloaded unless they are in
 * the cache, with a bar if that takes long.
 */
export async function localModel(model: string, terminal: Terminal): Promise<string>;
export async function localModel(model: string | undefined, terminal: Terminal): Promise<string | undefined>;
export async function localModel(model: string | undefined, terminal: Terminal): Promise<string | undefined> {
  if (model === undefined) return undefined;
  const meant = modelMeant(model);
  return isRemoteName(meant) ? (await fetchWithBar(meant, {}, terminal)).path : meant;
}

/** Downloads a model, with a bar if it takes long. */
export async function fetchWithBar(
  name: string,
  options: FetchOptions,
  terminal: Terminal,
): Promise<FetchedModel> {
  // Imported only if a model comes from the network.
  const { fetchModel } = await import("../hub/index.js");
  const bar = await createProgressBar(terminal, "Downloading");
  try {
    return await fetchModel(name, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ loadedBytes, totalBytes }) => bar.update(loadedBytes, totalBytes),
    });
  } finally {
    bar.stop();
  }
}
