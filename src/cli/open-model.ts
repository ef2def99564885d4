import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { embeddedModelUrl, type LanguageModel, loadModel, type LoadOptions } from "../language-model.js";
import { localModel } from "./local-model.js";
import { createProgressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";

/** What to call a model in tables: its path or name as given, or the file name of the embedded one. */
export function modelName(model: string | undefined): string {
  return model ?? basename(fileURLToPath(embeddedModelUrl));
}

/** Loads a model by its path or name, or the embedded one, with a bar if it takes long. */
export async function openModel(
  name: string | undefined,
  options: Partial<LoadOptions>,
  terminal: Terminal,
): Promise<{ readonly model: LanguageModel; readonly loadMs: number }> {
  const local = await localModel(name, terminal);
  const startedMs = performance.now();
  const bar = await createProgressBar(terminal, "Loading");
  try {
    const model = await loadModel(local, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ loadedBytes, totalBytes }) => bar.update(loadedBytes, totalBytes),
    });
    return { model, loadMs: performance.now() - startedMs };
  } finally {
    bar.stop();
  }
}
