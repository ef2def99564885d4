import type { Context } from "hono";
import type { GeneratedPiece } from "../generation/generated-piece.js";
import type { InnerGenerateOptions } from "../generation/resolve-options.js";
import type { GenerateOptions } from "../options/generate-options.js";
import { badRequest } from "./failures.js";
import type { Service } from "./service.js";
import type { Work } from "./watch.js";

/** A text to be written. */
export interface TextJob {
  readonly prompt: readonly number[];
  readonly options: InnerGenerateOptions;
}

/** A piece of one of a request's texts. */
export interface IndexedPiece {
  readonly index: number;
  readonly piece: GeneratedPiece;
}

/** Texts on their way. */
export interface StartedTexts {
  /** Pieces of all of them, as they come. */
  readonly pieces: AsyncGenerator<IndexedPiece, void, void>;
  /** The request's work, which ends with the last piece. */
  readonly work: Work;
}

/**
 * Has texts written, all of them or none, and waits for the first piece: until then a failure has a status of its own. Those
 * that are streamed only wait until the queue has taken them: clients want to know that they are heard. A client that goes
 * away stops its texts.
 */
export async function startTexts(
  { scheduler, model, places, watch }: Service,
  context: Context,
  jobs: readonly TextJob[],
  { stream }: { readonly stream: boolean },
): Promise<StartedTexts> {
  if (jobs.length > places) {
    throw badRequest(
      "n",
      `The request asks for ${jobs.length} texts at once, and this server takes ${places}`,
    );
  }
  const work = watch.begin(context);
  const { signal } = work;
  work.begun(
    jobs.reduce((sum, { prompt }) => sum + prompt.length, 0),
    () => jobs.map(({ prompt }) => model.detokenize(prompt)),
  );

  const waiting = new Map<number, Promise<{ index: number; result: IteratorResult<GeneratedPiece, void> }>>();
  const readers = jobs.map(({ prompt, options }) =>
    scheduler.generate(prompt, { ...options, ...fitting(prompt, options, model.info.contextLength), signal }),
  );
  const ask = (index: number, reader: AsyncGenerator<GeneratedPiece, void, void>): void => {
    const next = reader.next().then((result) => ({ index, result }));
    // It is looked at later, and only one failure is reported.
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
    // Requests that the queue does not take are refused in this same moment.
    if (stream) first.push(new Promise((resolve) => setTimeout(resolve)));
    await Promise.race(first);
  } catch (error) {
    work.end(error);
    throw error;
  }
  return { pieces: pieces(), work };
}

/** A text that fills the context is one that reached its length. */
function fitting(
  prompt: readonly number[],
  { maxTokens = Infinity }: GenerateOptions,
  contextLength: number,
): GenerateOptions {
  return { maxTokens: Math.max(1, Math.min(maxTokens, contextLength - prompt.length + 1)) };
}
