import type { LanguageModel } from "../language-model/language-model.js";
import { type AccessOptions, readAccess } from "./access.js";
import type { Server } from "./create-server.js";
import { createLoadingServer } from "./loading.js";

/** A server that loads its model, and loads it again when a worker of the model dies. */
export interface SelfHealingServer extends Pick<Server, "fetch" | "drain" | "dispose"> {
  /** Loads the model for the first time. Call it once. */
  start(): Promise<void>;
}

export interface SelfHealingOptions {
  readonly load: () => Promise<LanguageModel>;
  /** Serves a model. It calls `onModelFailed` when the model has failed for good. */
  readonly serve: (model: LanguageModel, onModelFailed: (error: unknown) => void) => Server;
  /** Receives the reason for each reload, and for each failed one. */
  readonly onFailure: (error: unknown) => void;
  /**
   * Wait after the first failed reload, in milliseconds. It doubles after each further one. Default: 1000.
   */
  readonly retryMs?: number;
  /** Rules of access while there is no model. Default: those of `createServer` without options. */
  readonly access?: AccessOptions;
}

const maxRetryMs = 60_000;

/**
 * While there is no model, requests are answered with 503 and the code "loading".
 *
 * @throws BitNetError INVALID_ARGUMENT for wrong `access`.
 */
export function createSelfHealingServer(options: SelfHealingOptions): SelfHealingServer {
  const { load, serve, onFailure, retryMs = 1000, access = {} } = options;
  const loadingServer = createLoadingServer(readAccess(access));
  let serving: Pick<Server, "fetch" | "drain" | "dispose"> = loadingServer;
  let model: LanguageModel | undefined;
  let draining = false;
  let disposed = false;
  let endWait: (() => void) | undefined;
  let healing: Promise<void> | undefined;

  async function start(): Promise<void> {
    const loaded = await load();
    if (disposed) {
      await loaded.dispose();
      return;
    }
    model = loaded;
    serving = serve(loaded, (error) => {
      healing ??= heal(error).finally(() => (healing = undefined));
    });
    if (draining) serving.drain();
  }

  async function heal(error: unknown): Promise<void> {
    const broken = serving;
    serving = loadingServer;
    onFailure(error);
    // Running requests fail with the error of the worker first. Disposing would hide it.
    await new Promise((resolve) => setTimeout(resolve));
    await broken.dispose();
    await model?.dispose();
    model = undefined;
    for (let waitMs = retryMs; !disposed; waitMs = Math.min(2 * waitMs, maxRetryMs)) {
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
    drain(): void {
      draining = true;
      serving.drain();
    },
    async dispose(): Promise<void> {
      disposed = true;
      endWait?.();
      await first?.catch(() => undefined);
      await healing;
      await serving.dispose();
      await model?.dispose();
    },
  };
}
