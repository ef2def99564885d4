import type { Context } from "hono";
import { BitNetError } from "../errors.js";
import type { EmbeddedTexts, ModelInternals } from "../language-model/internals.js";
import type { RequestTracker } from "./request-tracker.js";

/**
 * Embeds the texts of a request.
 *
 * @throws BitNetError QUEUE_FULL, CONTEXT_FULL, and the errors of `model.embed`.
 */
export type EmbedTexts = (context: Context, texts: readonly string[]) => Promise<EmbeddedTexts>;

export interface EmbeddingQueueOptions {
  readonly embed: ModelInternals["embed"];
  readonly tracker: RequestTracker;
  readonly checkPromptSize: (texts: readonly string[]) => void;
  /** Maximum number of requests, running and waiting. */
  readonly capacity: number;
}

/**
 * Embeds one request after another: each needs KV caches of its own, and parallel requests would slow each
 * other down.
 */
export function createEmbeddingQueue(options: EmbeddingQueueOptions): EmbedTexts {
  const { embed, tracker, checkPromptSize, capacity } = options;
  let size = 0;
  let last: Promise<unknown> = Promise.resolve();

  return async (context, texts) => {
    if (size >= capacity) {
      throw new BitNetError(
        "QUEUE_FULL",
        `Cannot take another request for embeddings: ${size} wait already; try again later`,
      );
    }
    for (const text of texts) checkPromptSize([text]);
    const work = tracker.begin(context);
    size += 1;
    const embedded = last.then(() => embed(texts, { signal: work.signal }));
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
