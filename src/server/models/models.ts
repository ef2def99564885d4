import type { Context } from "hono";
import { BitNetError } from "../../errors.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { createDeadline } from "../deadline.js";
import { createDoor, type Door } from "../door.js";
import { badRequest } from "../failures.js";
import type { RequestTracker } from "../request-tracker.js";
import type { RequestLimits } from "../requests/limits.js";
import type { Service } from "../service.js";
import { createLoader, type Loader } from "./loader.js";
import { createEntry, type ModelEntry, statsOf } from "./model-entry.js";
import { modelNotFound, plainName } from "./model-names.js";
import {
  isLoadable,
  type LoadableModel,
  type PullModel,
  type ServedModel,
  type ServedModels,
} from "./served-model.js";

/** The model that a request asks for. */
export interface ModelTarget {
  /** The request's `model`, unchecked. */
  readonly name: unknown;
  /** How long the model stays loaded. Default: the server's. */
  readonly keepAliveMs?: number | undefined;
}

/** All models of a server. */
export interface Models {
  /** In the order in which they were given. */
  readonly entries: () => readonly ModelEntry[];
  /** Whether the server has one model, whatever a request's `model` says. */
  readonly isSingle: boolean;
  readonly startedAt: Date;
  /** Maximum number of running texts of a model. */
  readonly parallel: number;
  readonly limits: RequestLimits;
  readonly tracker: RequestTracker;
  /** Keeps requests for texts out of a full queue. */
  readonly door: Door;
  /** Maximum time in which a client takes nothing of a stream, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Tells the operator why a model cannot be downloaded. */
  readonly report: (error: unknown) => void;
  /** Undefined if clients may not download models. */
  readonly pull: PullModel | undefined;
  /** The model of a name. A Failure says that there is none: 404, or 400 without a name. */
  find(name: unknown): ModelEntry;
  /** The model of a name; without a name, the first. */
  findOrFirst(name: unknown): ModelEntry;
  /**
   * Loads a model unless it is loaded, and holds it until the request ends.
   *
   * @throws BitNetError DISPOSED, ABORTED; a Failure with status 503 if it cannot be loaded.
   */
  open(context: Context, entry: ModelEntry, keepAliveMs?: number): Promise<Service>;
  /** Lets a model go. Its requests end first. */
  close(entry: ModelEntry): Promise<void>;
  /** Adds a model that was downloaded. */
  add(name: string, source: LoadableModel): void;
  dispose(): Promise<void>;
}

export interface ModelsOptions extends Pick<
  Models,
  "parallel" | "limits" | "tracker" | "pull" | "startedAt" | "stallTimeoutMs"
> {
  /** The only model and its name, or several by name. */
  readonly served: { readonly name: string; readonly model: LanguageModel } | ServedModels;
  readonly createService: (name: string, model: LanguageModel) => Service;
  /** Maximum time of a request, in milliseconds. */
  readonly timeoutMs: number;
  readonly keepAliveMs: number;
  readonly maxLoaded: number;
  /** Maximum number of texts, running and waiting. */
  readonly capacity: number;
  /** Receives the reason why a model cannot be loaded or downloaded, or has failed. */
  readonly onFailure: (error: unknown) => void;
}

/** @throws BitNetError INVALID_ARGUMENT for no model, or two with one name; DISPOSED. */
export function createModels(options: ModelsOptions): Models {
  const { served, createService, timeoutMs, maxLoaded, onFailure, tracker } = options;
  const { parallel, limits, pull, startedAt, stallTimeoutMs, capacity } = options;
  const isSingle = "model" in served;
  const entries = new Map<string, ModelEntry>();
  const loader = createLoader({
    entries: () => entries.values(),
    createService: ({ name }, model) => createService(name, model),
    maxLoaded,
    onFailure,
  });
  const given: readonly (readonly [string, ServedModel])[] = isSingle
    ? [[served.name, served.model]]
    : Object.entries(served.models);
  for (const [name, model] of given) addServed(entries, loader, name, model);
  const [first] = entries.values();
  if (first === undefined) {
    throw new BitNetError("INVALID_ARGUMENT", "Invalid models: there is none (expected at least one)", {
      details: { option: "models" },
    });
  }

  function find(name: unknown): ModelEntry {
    if (isSingle) return first as ModelEntry;
    const names = [...entries.values()].map((entry) => entry.name);
    if (name === undefined || name === null || name === "") {
      throw badRequest("model", `Invalid model: expected one of ${names.map((each) => `'${each}'`).join(", ")}`);
    }
    if (typeof name !== "string") throw badRequest("model", "Invalid model: expected a string");
    const entry = entries.get(plainName(name));
    if (entry === undefined) throw modelNotFound(name, names);
    return entry;
  }

  return {
    entries: () => [...entries.values()],
    isSingle,
    startedAt,
    parallel,
    limits,
    tracker,
    // A request that waits for its model takes room too.
    door: createDoor(() => countRequests(entries.values()) >= capacity),
    stallTimeoutMs,
    report: onFailure,
    pull,
    find,
    findOrFirst: (name) => (name === undefined || name === null || name === "" ? first : find(name)),
    async open(context, entry, keepAliveMs = options.keepAliveMs) {
      if (!isSingle) tracker.names(context, entry.name);
      // The load counts as a part of the request.
      const wait = createDeadline({ client: context.req.raw.signal, timeoutMs, onEnd: () => undefined });
      try {
        const loaded = await loader.hold(entry, { signal: wait.signal, keepAliveMs });
        tracker.onEnd(context, () => loader.release(entry, loaded));
        return loaded.service;
      } finally {
        wait.end();
      }
    },
    close: (entry) => loader.unload(entry),
    add(name, source): void {
      const key = plainName(name);
      if (!entries.has(key)) entries.set(key, createEntry(key, source));
    },
    dispose: () => loader.dispose(),
  };
}

function countRequests(entries: Iterable<ModelEntry>): number {
  let count = 0;
  for (const entry of entries) {
    const { active, queued } = statsOf(entry);
    count += active + queued + entry.waiting;
  }
  return count;
}

function addServed(
  entries: Map<string, ModelEntry>,
  loader: Loader,
  name: string,
  model: ServedModel,
): void {
  const key = plainName(name);
  const other = entries.get(key);
  if (key === "" || other !== undefined) {
    const why = other === undefined ? "it is empty" : `'${other.name}' is the same name`;
    throw new BitNetError("INVALID_ARGUMENT", `Invalid name of a model: '${name}' (${why})`, {
      details: { option: "models", value: name },
    });
  }
  const entry = createEntry(name, isLoadable(model) ? model : undefined);
  entries.set(key, entry);
  if (!isLoadable(model)) loader.keep(entry, model);
}
