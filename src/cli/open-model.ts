import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { embeddedModelUrl, type LanguageModel, loadModel, type LoadOptions } from "../language-model.js";
import { createProgressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";

/** What to call a model in tables: its path as given, or the file name of the embedded one. */
export function modelName(path: string | undefined): string {
  return path ?? basename(fileURLToPath(embeddedModelUrl));
}

/** Loads a model, or the embedded one, with a bar if it takes long. */
export async function openModel(
  path: string | undefined,
  options: Partial<LoadOptions>,
  terminal: Terminal,
): Promise<{ readonly model: LanguageModel; readonly loadMs: number }> {
  const startedMs = performance.now();
  const bar = await createProgressBar(terminal, "Loading");
  try {
    const model = await loadModel(path, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ loadedBytes, totalBytes }) => bar.update(loadedBytes, totalBytes),
    });
    return { model, loadMs: performance.now() - startedMs };
  } finally {
    bar.stop();
  }
}
