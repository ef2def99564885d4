import type { Context } from "hono";
import { BitNetError } from "../errors.js";
import type { Service } from "./service.js";

/** What a request for vectors comes to. */
export interface EmbeddedTexts {
  readonly vectors: readonly Float32Array[];
  /** Of all texts. */
  readonly tokens: number;
}

/** Requests for vectors that are there already, by service. */
const waiting = new WeakMap<Service, { count: number; last: Promise<unknown> }>();

/**
 * Embeds a request's texts, one request after another: each would take caches of its own, and they would only slow one another
 * down. As many may wait as there are places for texts.
 *
 * @throws BitNetError QUEUE_FULL, CONTEXT_FULL, and what `model.embed` throws.
 */
export async function embedTexts(
  service: Service,
  context: Context,
  texts: readonly string[],
): Promise<EmbeddedTexts> {
  const { model, watch, places } = service;
  let queue = waiting.get(service);
  if (queue === undefined) waiting.set(service, (queue = { count: 0, last: Promise.resolve() }));
  if (queue.count >= places) {
    throw new BitNetError(
      "QUEUE_FULL",
      `Cannot take another request for embeddings: ${queue.count} wait already; try again later`,
    );
  }
  for (const text of texts) service.checkTexts([text]);
  const work = watch.begin(context);
  queue.count += 1;
  const vectors = queue.last.then(() => model.embed(texts, { signal: work.signal }));
  queue.last = vectors.catch(() => undefined);
  try {
    const tokens = texts.reduce((sum, text) => sum + model.tokenize(text).length, 0);
    work.begun(tokens, () => texts);
    // Whoever leaves does not wait for those before.
    const left = new Promise<never>((_, reject) => {
      work.signal.addEventListener("abort", () => reject(work.signal.reason as Error), { once: true });
    });
    const result = { vectors: await Promise.race([vectors, left]), tokens };
    work.end();
    return result;
  } catch (error) {
    work.end(error);
    throw error;
  } finally {
    queue.count -= 1;
  }
}
