import { collectGarbage } from "#platform";
import { BitNetError } from "../../errors.js";
import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { Failure } from "../failures.js";
import type { Service } from "../service.js";
import { createLoaded, keepTotals, type LoadedModel, type ModelEntry } from "./model-entry.js";

/** Loads models on demand and lets them go. */
export interface Loader {
  /**
   * Holds a model for a request. It is loaded first if it has to be: once for all requests that wait, and one
   * model after another.
   *
   * @param use.keepAliveMs how long the model stays loaded after this request.
   * @throws BitNetError DISPOSED; a Failure with status 503 if it cannot be loaded; `use.signal.reason`.
   */
  hold(entry: ModelEntry, use: ModelUse): Promise<LoadedModel>;
  /** Ends a request's hold. */
  release(entry: ModelEntry, loaded: LoadedModel): void;
  /** Lets a model go when its requests have ended, and frees its memory. It is loaded again on demand. */
  unload(entry: ModelEntry): Promise<void>;
  /** Takes a model that stays loaded. */
  keep(entry: ModelEntry, model: LanguageModel): LoadedModel;
  /** Ends all requests, and frees every model that was loaded here. */
  dispose(): Promise<void>;
}

/** How a request uses a model. */
export interface ModelUse {
  readonly signal: AbortSignal;
  readonly keepAliveMs: number;
}

export interface LoaderOptions {
  readonly entries: () => Iterable<ModelEntry>;
  readonly createService: (entry: ModelEntry, model: LanguageModel) => Service;
  /** Maximum number of models that are loaded on demand. */
  readonly maxLoaded: number;
  /** Receives the reason why a model cannot be loaded, or has failed. */
  readonly onFailure: (error: unknown) => void;
}

/** A collection takes 10 to 20 ms, in which the server answers nobody. */
const reclaimPauseMs = 30;
/** setTimeout overflows above. */
const maxTimerMs = 2 ** 31 - 1;

export function createLoader({ entries, createService, maxLoaded, onFailure }: LoaderOptions): Loader {
  const ending = new AbortController();
  /** Ends when the models that were asked for earlier are loaded. */
  let last: Promise<unknown> = Promise.resolve();

  const isEnding = (): boolean => ending.signal.aborted;
  function keep(entry: ModelEntry, model: LanguageModel): LoadedModel {
    entry.loaded = createLoaded(createService(entry, model), model);
    return entry.loaded;
  }

  async function hold(entry: ModelEntry, use: ModelUse): Promise<LoadedModel> {
    for (;;) {
      ending.signal.throwIfAborted();
      const there = entry.loaded?.leaving === undefined ? entry.loaded : undefined;
      const loaded = there ?? (await waitForLoad(entry, use));
      // It may have been chosen to make room since.
      if (loaded.leaving !== undefined) continue;
      beginUse(loaded, use);
      return loaded;
    }
  }

  async function waitForLoad(entry: ModelEntry, { signal, keepAliveMs }: ModelUse): Promise<LoadedModel> {
    entry.waiting += 1;
    entry.loading ??= loadNext(entry, keepAliveMs).finally(() => (entry.loading = undefined));
    // It may end when nobody waits any more.
    entry.loading.catch(() => undefined);
    try {
      // A request that leaves does not stop the load: others may wait for it.
      return await abortable(entry.loading, signal);
    } finally {
      entry.waiting -= 1;
    }
  }

  /** Loads one model after another: each must see the memory that the others have left. */
  async function loadNext(entry: ModelEntry, keepAliveMs: number): Promise<LoadedModel> {
    const load = last.then(async () => {
      // The requests that waited for the earlier model must hold it first, or it could be let go again.
      await new Promise((resolve) => setTimeout(resolve));
      return loadModel(entry, keepAliveMs);
    });
    last = load.catch(() => undefined);
    return load;
  }

  async function loadModel(entry: ModelEntry, keepAliveMs: number): Promise<LoadedModel> {
    await entry.loaded?.leaving;
    while (residentsOf(entries()).length >= maxLoaded && (await makeRoom(entry))) continue;
    const model = await loadWithRoom(entry);
    if (isEnding()) await model.dispose();
    ending.signal.throwIfAborted();
    const loaded = keep(entry, model);
    void internalsOf(model).engine.failure.then((error) => {
      if (isEnding()) return;
      onFailure(error);
      // Running requests fail with the error of the worker first. Disposing would hide it.
      setTimeout(() => void unload(entry));
    });
    loaded.keepAliveMs = keepAliveMs;
    // All who wanted it may have left.
    if (entry.waiting === 0) rest(entry, loaded);
    return loaded;
  }

  async function loadWithRoom(entry: ModelEntry): Promise<LanguageModel> {
    for (;;) {
      ending.signal.throwIfAborted();
      try {
        if (entry.source === undefined) throw new TypeError("a model that stays loaded was let go");
        return await entry.source.load({ signal: ending.signal });
      } catch (error) {
        ending.signal.throwIfAborted();
        const isFull = error instanceof BitNetError && error.code === "OUT_OF_MEMORY";
        if (isFull && (await makeRoom(entry))) continue;
        if (!isFull) onFailure(error);
        throw loadFailure(entry.name, error);
      }
    }
  }

  /**
   * Lets the model go that was used least recently: an idle one, else a busy one after its requests.
   *
   * @returns whether there was one.
   */
  async function makeRoom(entry: ModelEntry): Promise<boolean> {
    if (entry.waiting === 0) throw new BitNetError("ABORTED", "No request waits for the model any more");
    const first = firstToGo(residentsOf(entries()));
    if (first !== undefined) await unload(first);
    return first !== undefined;
  }

  function release(entry: ModelEntry, loaded: LoadedModel): void {
    loaded.users -= 1;
    loaded.lastUsedMs = performance.now();
    if (loaded.users > 0) return;
    loaded.onIdle?.();
    rest(entry, loaded);
  }

  /** Begins the time after which an idle model is let go. */
  function rest(entry: ModelEntry, loaded: LoadedModel): void {
    const { keepAliveMs, leaving } = loaded;
    if (leaving !== undefined || entry.source === undefined || keepAliveMs > maxTimerMs) return;
    loaded.expiresAt = new Date(Date.now() + keepAliveMs);
    loaded.timer = setTimeout(() => void unload(entry), keepAliveMs);
    loaded.timer.unref();
  }

  /** No variable here may keep the model alive during the collection. */
  async function unload(entry: ModelEntry): Promise<void> {
    await letGo(entry);
    await reclaimMemory();
  }

  async function letGo(entry: ModelEntry): Promise<void> {
    const { loaded } = entry;
    if (loaded === undefined || entry.source === undefined) return;
    loaded.leaving ??= leave(entry, loaded);
    await loaded.leaving;
  }

  async function leave(entry: ModelEntry, loaded: LoadedModel): Promise<void> {
    clearTimeout(loaded.timer);
    if (loaded.users > 0 && !isEnding()) await new Promise<void>((resolve) => (loaded.onIdle = resolve));
    await loaded.service.scheduler.dispose();
    await loaded.model.dispose();
    keepTotals(entry);
    entry.loaded = undefined;
  }

  async function dispose(): Promise<void> {
    ending.abort(new BitNetError("DISPOSED", "The server has been disposed"));
    // A load that runs frees its model when it sees the signal.
    await last;
    for (const entry of entries()) {
      // A model that stays loaded belongs to the caller.
      await entry.loaded?.service.scheduler.dispose();
      entry.loaded?.onIdle?.();
      await letGo(entry);
    }
  }

  return { hold, release, unload, keep, dispose };
}

function beginUse(loaded: LoadedModel, { keepAliveMs }: ModelUse): void {
  loaded.users += 1;
  loaded.keepAliveMs = keepAliveMs;
  loaded.expiresAt = undefined;
  clearTimeout(loaded.timer);
}

/** A model in memory that can be let go. */
interface Resident {
  readonly entry: ModelEntry;
  readonly loaded: LoadedModel;
}

function residentsOf(entries: Iterable<ModelEntry>): Resident[] {
  return [...entries].flatMap((entry) =>
    entry.loaded === undefined || entry.source === undefined ? [] : [{ entry, loaded: entry.loaded }],
  );
}

/** The model to let go: one that leaves already, else an idle one, else a busy one. The oldest goes first. */
function firstToGo(residents: readonly Resident[]): ModelEntry | undefined {
  const rank = ({ users, leaving }: LoadedModel): number => (leaving !== undefined ? 0 : users === 0 ? 1 : 2);
  const [first] = residents.toSorted(
    (a, b) => rank(a.loaded) - rank(b.loaded) || a.loaded.lastUsedMs - b.loaded.lastUsedMs,
  );
  return first?.entry;
}

/** Threads end a moment after their model: only a second collection frees their part. */
async function reclaimMemory(): Promise<void> {
  for (let count = 0; count < 2; count += 1) {
    await new Promise((resolve) => setTimeout(resolve, reclaimPauseMs));
    collectGarbage();
  }
}

/** Waits for a promise until a signal fires. The promise goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let leave = (): void => undefined;
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason as Error);
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([promise, left]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function loadFailure(name: string, error: unknown): Failure {
  if (!(error instanceof BitNetError) || error.code !== "OUT_OF_MEMORY") {
    const code = error instanceof BitNetError ? ` (${error.code})` : "";
    // The message may contain paths, which are the operator's own.
    return new Failure(
      503,
      "model_load_failed",
      `Cannot load the model '${name}'${code}: the server's log has the reason`,
    );
  }
  const { bytes, availableBytes } = error.details;
  const sizes =
    typeof bytes === "number" && typeof availableBytes === "number"
      ? ` (it needs ${mebibytes(bytes)} and ${mebibytes(availableBytes)} are free)`
      : "";
  return new Failure(
    503,
    "out_of_memory",
    `Cannot load the model '${name}': it does not fit the memory, and there is no other model to let go${sizes}`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
