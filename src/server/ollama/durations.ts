import type { Context } from "hono";
import type { ModelEntry } from "../models/model-entry.js";
import type { Models } from "../models/models.js";
import type { Service } from "../service.js";

/** A model that is loaded, and the time that its request waited for it. */
export interface OpenedModel {
  readonly service: Service;
  /** Nanoseconds, at least 1: Ollama's clients take 0 for an absent number. */
  readonly loadDuration: number;
}

/** Opens a request's model. It takes microseconds if the model is loaded. */
export async function openTimed(
  models: Models,
  context: Context,
  entry: ModelEntry,
  keepAliveMs: number | undefined,
): Promise<OpenedModel> {
  const startedMs = performance.now();
  const service = await models.open(context, entry, keepAliveMs);
  return { service, loadDuration: Math.max(1, nanoseconds(performance.now() - startedMs)) };
}

export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}
