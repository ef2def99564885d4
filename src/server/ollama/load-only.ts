import type { Context } from "hono";
import type { ModelEntry } from "../models/model-entry.js";
import type { Models } from "../models/models.js";

/** A request without a prompt. */
export interface LoadRequest {
  readonly entry: ModelEntry;
  readonly keepAliveMs: number | undefined;
  /** The fields of an empty answer. */
  readonly content: object;
}

/**
 * Answers an empty request. Ollama's clients load a model with one, and let it go with a `keep_alive` of 0.
 */
export async function loadOnly(
  models: Models,
  context: Context,
  { entry, keepAliveMs, content }: LoadRequest,
): Promise<Response> {
  // A model that stays loaded cannot be let go.
  const unloads = keepAliveMs === 0 && entry.source !== undefined;
  if (unloads) await models.close(entry);
  else await models.open(context, entry, keepAliveMs);
  return Response.json({
    model: entry.name,
    created_at: new Date().toISOString(),
    ...content,
    done: true,
    done_reason: unloads ? "unload" : "load",
  });
}
