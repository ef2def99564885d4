import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { EngineOptions } from "../engine/engine-options.js";
import { embeddedModelUrl } from "../language-model/find-source.js";
import type { LanguageModel } from "../language-model/language-model.js";
import { loadModel } from "../language-model/load-model.js";
import type { LoadOptions } from "../language-model/load-options.js";
import type { StreamInfo } from "../model/stream-speed.js";
import { expertFlags, loadFlags, readFlags, templateFlags } from "./library-flags.js";
import { localModel } from "./local-model.js";
import { createProgressBar } from "./progress-bar.js";
import type { Terminal } from "./terminal.js";
import { formatBytes, formatRate } from "./units.js";

/** The name of a model in tables: its path or name as given, or the file name of the embedded model. */
export function modelName(model: string | undefined): string {
  return model ?? basename(fileURLToPath(embeddedModelUrl));
}

/** Options of `loadModel` from parsed flags. @param engine defaults for the hidden flags. */
export function readLoadOptions(
  flags: Readonly<Record<string, unknown>>,
  engine: EngineOptions = {},
): LoadOptions {
  return {
    ...readFlags(flags, [...loadFlags, ...templateFlags]),
    engine: { ...engine, ...readFlags(flags, expertFlags) },
  };
}

/** A model that has just been loaded. */
export interface OpenedModel {
  readonly model: LanguageModel;
  readonly loadMs: number;
  /** Bytes of tensors that were read. */
  readonly loadedBytes: number;
}

/** Loads a model by its path or name, or the embedded model. Shows a bar if it takes long. */
export async function openModel(
  name: string | undefined,
  options: LoadOptions,
  terminal: Terminal,
): Promise<OpenedModel> {
  const local = await localModel(name, terminal);
  const startedMs = performance.now();
  const bar = await createProgressBar(terminal, "Loading");
  let loaded = 0;
  let noted = false;
  try {
    const model = await loadModel(local, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ loadedBytes, totalBytes, stream }) => {
        loaded = loadedBytes;
        if (stream !== undefined && !noted) terminal.note(describeStream(stream));
        noted ||= stream !== undefined;
        bar.update(loadedBytes, totalBytes);
      },
    });
    return { model, loadMs: performance.now() - startedMs, loadedBytes: loaded };
  } finally {
    bar.stop();
  }
}

function describeStream({ layers, bytesPerPass, tensorBytes, ...speed }: StreamInfo): string {
  const rate = formatRate(speed.tokensPerSecond);
  const [some, all, perSecond] = [bytesPerPass, tensorBytes, speed.bytesPerSecond].map(formatBytes);
  return `about ${rate} tokens/s: ${some} of ${all} (${layers} layers) are read from disk for each token, at ${perSecond}/s`;
}
