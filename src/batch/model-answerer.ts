import type { LanguageModel } from "../language-model/language-model.js";
import { createServer } from "../server/create-server.js";
import { type AnswerRequest, createAnswerer } from "./answer.js";

/** Answers requests by a model in this process. */
export interface ModelAnswerer {
  readonly answer: AnswerRequest;
  /** Rejects when a worker thread of the model dies. */
  readonly failure: Promise<never>;
  /** Ends running requests. The model stays loaded. */
  dispose(): Promise<void>;
}

/** Limits for clients, which a batch does not need. */
const noLimits = { queueLimit: 2 ** 20, timeoutMs: 2 ** 31 - 1, maxBodyBytes: 64 * 2 ** 20 };

/**
 * @param parallel number of texts that are written at the same time.
 * @param onError receives failures of the server itself.
 */
export function createModelAnswerer(
  model: LanguageModel,
  parallel: number,
  onError: (error: unknown) => void,
): ModelAnswerer {
  let fail: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => (fail = reject));
  // Only workers of a queue wait for it.
  failure.catch(() => undefined);
  const server = createServer(model, {
    ...noLimits,
    parallel,
    onError,
    onModelFailed: (error) => fail(error),
  });
  return { answer: createAnswerer(server), failure, dispose: () => server.dispose() };
}
