import type { LanguageModel } from "../language-model.js";
import type { Server } from "./create-server.js";
import { loadingServer } from "./loading.js";

/** A server that loads its model, and again when a worker of the model has died. */
export interface RecoveringServer extends Pick<Server, "fetch" | "dispose"> {
  /** Loads the model for the first time. To be called once. */
  start(): Promise<void>;
}

export interface RecoveryParts {
  readonly load: () => Promise<LanguageModel>;
  /** Serves a model; to be told when the model has failed for good. */
  readonly serve: (model: LanguageModel, onModelFailed: (error: unknown) => void) => Server;
  /** Told why the model is loaded again, or could not be. */
  readonly onFailure: (error: unknown) => void;
  /** How long to wait after the first time that loading fails; twice as long each time after. Default 1000. */
  readonly retryMs?: number;
}

const longestRetryMs = 60_000;

/** Whoever asks while there is no model is told that it is being loaded. */
export function createRecoveringServer(parts: RecoveryParts): RecoveringServer {
  const { load, serve, onFailure, retryMs = 1000 } = parts;
  let serving: Pick<Server, "fetch" | "dispose"> = loadingServer;
  let model: LanguageModel | undefined;
  let disposed = false;
  let endWait: (() => void) | undefined;
  let recovery: Promise<void> | undefined;

  async function start(): Promise<void> {
    const loaded = await load();
    if (disposed) {
      await loaded.dispose();
      return;
    }
    model = loaded;
    serving = serve(loaded, (error) => {
      recovery ??= recover(error).finally(() => (recovery = undefined));
    });
  }

  async function recover(error: unknown): Promise<void> {
    const broken = serving;
    serving = loadingServer;
    onFailure(error);
    // Whoever is being answered is told what happened, and not that the server ends.
    await new Promise((resolve) => setTimeout(resolve));
    await broken.dispose();
    await model?.dispose();
    model = undefined;
    for (let waitMs = retryMs; !disposed; waitMs = Math.min(2 * waitMs, longestRetryMs)) {
      try {
        await start();
        return;
      } catch (failure) {
        if (disposed) return;
        onFailure(failure);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          endWait = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }

  let first: Promise<void> | undefined;
  return {
    start: () => (first = start()),
    fetch: (request) => serving.fetch(request),
    async dispose(): Promise<void> {
      disposed = true;
      endWait?.();
      await first?.catch(() => undefined);
      await recovery;
      await serving.dispose();
      await model?.dispose();
    },
  };
}
