import type { LanguageModel } from "../../language-model/language-model.js";
import type { SchedulerStats } from "../../generation/scheduling/scheduler.js";
import type { Service } from "../service.js";
import { factsOf, inspectedFacts, type ModelFacts } from "./model-facts.js";
import type { LoadableModel } from "./served-model.js";

/** A model in memory. */
export interface LoadedModel {
  readonly service: Service;
  readonly model: LanguageModel;
  /** Number of requests that use it. */
  users: number;
  /** By `performance.now()`. */
  lastUsedMs: number;
  /** How long it stays without requests. Infinity is always. */
  keepAliveMs: number;
  /** When it is let go; undefined while requests use it, and if it stays always. */
  expiresAt: Date | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Set once it is to be let go: it takes no further requests. Resolves when its memory is free. */
  leaving: Promise<void> | undefined;
  /** Called when the last request has left. */
  onIdle: (() => void) | undefined;
}

/** One of a server's models. */
export interface ModelEntry {
  readonly name: string;
  /** Undefined for a model that stays loaded. */
  readonly source: LoadableModel | undefined;
  loaded: LoadedModel | undefined;
  /** Shared by all requests that need the model. */
  loading: Promise<LoadedModel> | undefined;
  /** Number of requests that wait for it to be loaded. */
  waiting: number;
  /** Counts of earlier loads. */
  totals: SchedulerStats;
  /** Facts of the last load, and of the file. */
  known: ModelFacts | undefined;
  inspected: Promise<ModelFacts | undefined> | undefined;
}

const noStats: SchedulerStats = {
  queued: 0,
  active: 0,
  requests: 0,
  promptTokens: 0,
  cachedTokens: 0,
  cacheHits: 0,
  generatedTokens: 0,
  passes: 0,
};

export function createEntry(name: string, source: LoadableModel | undefined): ModelEntry {
  return {
    name,
    source,
    loaded: undefined,
    loading: undefined,
    waiting: 0,
    totals: noStats,
    known: undefined,
    inspected: undefined,
  };
}

export function createLoaded(service: Service, model: LanguageModel): LoadedModel {
  return {
    service,
    model,
    users: 0,
    lastUsedMs: performance.now(),
    keepAliveMs: Infinity,
    expiresAt: undefined,
    timer: undefined,
    leaving: undefined,
    onIdle: undefined,
  };
}

/** Counts of all loads of a model. */
export function statsOf({ loaded, totals }: ModelEntry): SchedulerStats {
  return loaded === undefined ? totals : addStats([totals, loaded.service.scheduler.stats]);
}

/** Counts of a model that is let go. Nothing of it is queued or active. */
export function keepTotals(entry: ModelEntry): void {
  entry.totals = { ...statsOf(entry), queued: 0, active: 0 };
}

export function addStats(all: readonly SchedulerStats[]): SchedulerStats {
  const names = Object.keys(noStats) as (keyof SchedulerStats)[];
  return Object.fromEntries(
    names.map((name) => [name, all.reduce((sum, stats) => sum + stats[name], 0)]),
  ) as unknown as SchedulerStats;
}

/** Facts for lists. Undefined if the model was never loaded and cannot be inspected. */
export async function readFacts(entry: ModelEntry): Promise<ModelFacts | undefined> {
  const { source, loaded } = entry;
  if (loaded !== undefined) entry.known = factsOf(loaded.service);
  entry.inspected ??= source?.inspect?.().then(inspectedFacts, () => {
    // The next list tries again. A load reports the reason.
    entry.inspected = undefined;
    return undefined;
  });
  const [known, inspected] = [entry.known, await entry.inspected];
  // The size of the file stays the same whether the model is loaded or not.
  return known === undefined ? inspected : { ...known, bytes: inspected?.bytes ?? known.bytes };
}
