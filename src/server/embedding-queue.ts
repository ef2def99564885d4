import type { Context } from "hono";
import { BitNetError } from "../errors.js";
import type { EmbeddedTexts, ModelInternals, TextLimits } from "../language-model/internals.js";
import type { RequestTracker } from "./request-tracker.js";
import type { PromptLimit } from "./requests/prompt-limit.js";

/**
 * Embeds the texts of a request.
 *
 * @param limits Default: long texts are refused.
 * @throws BitNetError QUEUE_FULL, CONTEXT_FULL, and the errors of `model.embed`.
 */
export type EmbedTexts = (
  context: Context,
  texts: readonly string[],
  limits?: TextLimits,
) => Promise<EmbeddedTexts>;

export interface EmbeddingQueueOptions {
  readonly embed: ModelInternals["embed"];
  readonly tracker: RequestTracker;
  readonly promptLimit: PromptLimit;
  /** Maximum number of requests, running and waiting. */
  readonly capacity: number;
}

/**
 * Embeds one request after another: each needs KV caches of its own, and parallel requests would slow each
 * other down.
 */
export function createEmbeddingQueue(options: EmbeddingQueueOptions): EmbedTexts {
  const { embed, tracker, promptLimit, capacity } = options;
  let size = 0;
  let last: Promise<unknown> = Promise.resolve();

  return async (context, given, limits = { truncates: false }) => {
    if (size >= capacity) {
      throw new BitNetError(
        "QUEUE_FULL",
        `Cannot take another request for embeddings: ${size} wait already; try again later`,
      );
    }
    if (!limits.truncates) for (const text of given) promptLimit.check([text]);
    const texts = limits.truncates ? given.map(promptLimit.cut) : given;
    const work = tracker.begin(context);
    size += 1;
    const embedded = last.then(() => embed(texts, { signal: work.signal }, limits));
    last = embedded.catch(() => undefined);
    try {
      // A client that leaves does not wait for the requests before it.
      const aborted = new Promise<never>((_, reject) => {
        work.signal.addEventListener("abort", () => reject(work.signal.reason as Error), { once: true });
      });
      const result = await Promise.race([embedded, aborted]);
      work.started(result.tokens, () => texts);
      work.end();
      return result;
    } catch (error) {
      work.end(error);
      throw error;
    } finally {
      size -= 1;
    }
  };
}
