import type { Context } from "hono";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import type { InnerGenerateOptions } from "../generation/resolve-options.js";
import type { GenerateOptions } from "../options/generate-options.js";
import { badRequest } from "./failures.js";
import type { Service } from "./service.js";
import type { Work } from "./request-tracker.js";

/** A text to write. */
export interface Job {
  readonly prompt: readonly number[];
  readonly options: InnerGenerateOptions;
}

/** A piece of one of a request's texts. */
export interface IndexedPiece {
  readonly index: number;
  readonly piece: GeneratedPiece;
}

/** Texts being written. */
export interface StartedJobs {
  /** Pieces of all texts, in the order in which they are written. */
  readonly pieces: AsyncGenerator<IndexedPiece, void, void>;
  /** The request's work, which ends with the last piece. */
  readonly work: Work;
}

/**
 * Starts a request's texts, all or none. A client that leaves stops its texts.
 *
 * It waits for the first piece, so that a failure before it still has an HTTP status of its own. With
 * `stream` it waits only until the queue has accepted the texts, so that a client in the queue already gets
 * the response's head.
 */
export async function startJobs(
  { scheduler, model, tokenizer, name, isEmbedder, capacity, tracker }: Service,
  context: Context,
  jobs: readonly Job[],
  { stream }: { readonly stream: boolean },
): Promise<StartedJobs> {
  if (isEmbedder) {
    throw badRequest(
      "model",
      `'${name}' is an embedding model and writes no texts: use /v1/embeddings or /api/embed, or another model`,
    );
  }
  if (jobs.length > capacity) {
    throw badRequest(
      "n",
      `The request asks for ${jobs.length} texts at once, and this server takes ${capacity}`,
    );
  }
  // Otherwise a full queue could reject a stream too late.
  for (const { options } of jobs) await options.grammar?.prepare(tokenizer);
  const work = tracker.begin(context);
  const { signal } = work;
  work.started(
    jobs.reduce((sum, { prompt }) => sum + prompt.length, 0),
    () => jobs.map(({ prompt }) => model.detokenize(prompt)),
  );

  const waiting = new Map<number, Promise<{ index: number; result: IteratorResult<GeneratedPiece, void> }>>();
  const readers = jobs.map(({ prompt, options }) =>
    scheduler.generate(prompt, { ...options, ...fitting(prompt, options, model.info.contextLength), signal }),
  );
  const ask = (index: number, reader: AsyncGenerator<GeneratedPiece, void, void>): void => {
    const next = reader.next().then((result) => ({ index, result }));
    // pieces() reports the first failure. The others must not count as unhandled.
    next.catch(() => undefined);
    waiting.delete(index);
    waiting.set(index, next);
  };
  readers.forEach((reader, index) => ask(index, reader));

  async function* pieces(): AsyncGenerator<IndexedPiece, void, void> {
    try {
      while (waiting.size > 0) {
        const { index, result } = await Promise.race(waiting.values());
        const reader = readers[index];
        if (result.done === true || reader === undefined) {
          waiting.delete(index);
          continue;
        }
        ask(index, reader);
        if (result.value.finishReason !== "abort") work.wrote(index, result.value.text);
        yield { index, piece: result.value };
      }
    } catch (error) {
      work.end(error);
      throw error;
    } finally {
      work.end();
    }
  }

  try {
    const first: Promise<unknown>[] = [...waiting.values()];
    // A full queue rejects at once, so the next task of the event loop is late enough.
    if (stream) first.push(new Promise((resolve) => setTimeout(resolve)));
    await Promise.race(first);
  } catch (error) {
    work.end(error);
    throw error;
  }
  return { pieces: pieces(), work };
}

/** Limits `maxTokens` to the context, so that a text that fills it ends with "length". */
function fitting(
  prompt: readonly number[],
  { maxTokens = Infinity }: GenerateOptions,
  contextLength: number,
): GenerateOptions {
  return { maxTokens: Math.max(1, Math.min(maxTokens, contextLength - prompt.length + 1)) };
}
