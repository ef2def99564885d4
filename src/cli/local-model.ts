import type { FetchedModel, FetchOptions } from "../hub/index.js";
import { isRemoteName } from "../hub/model-name.js";
import { createProgressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";

/**
 * The local path of a model that a command names. `hf:` names and URLs are downloaded unless they are in the
 * cache, with a bar if that takes long. Anything else is a path already.
 */
export async function localModel(model: string, terminal: Terminal): Promise<string>;
export async function localModel(model: string | undefined, terminal: Terminal): Promise<string | undefined>;
export async function localModel(model: string | undefined, terminal: Terminal): Promise<string | undefined> {
  if (model === undefined || !isRemoteName(model)) return model;
  return (await fetchWithBar(model, {}, terminal)).path;
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
