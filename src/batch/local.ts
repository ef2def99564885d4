import { throwIfAborted } from "../errors.js";
import type { AnswerRequest } from "./answer.js";
import type { Questions } from "./run-batch.js";

/**
 * Answers requests in this process.
 *
 * @param inFlight number of requests that run at the same time.
 */
export async function answerLocally(
  answer: AnswerRequest,
  inFlight: number,
  { requests, write, signal }: Questions,
): Promise<void> {
  // The first failure ends the other requests.
  const failure = new AbortController();
  const ending = AbortSignal.any([signal, failure.signal]);
  async function work(): Promise<void> {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      throwIfAborted(ending);
      await write(next.value, await answer(next.value, ending));
    }
  }
  const workers = Array.from({ length: inFlight }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    failure.abort(error);
    await Promise.allSettled(workers);
    throw error;
  }
}
