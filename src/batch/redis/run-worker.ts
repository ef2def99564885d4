import type { AnswerRequest } from "../answer.js";
import type { BatchAnswer } from "../result.js";
import type { RedisConnection } from "./connection.js";
import { queueName, requestOf } from "./job.js";

export interface WorkerOptions {
  readonly connection: RedisConnection;
  /** First part of the queue's name. */
  readonly prefix: string;
  /** Digest of the model. */
  readonly model: string;
  readonly answer: AnswerRequest;
  /** Number of jobs at the same time. */
  readonly concurrency: number;
  /** A worker that is silent for this time loses its jobs to others. */
  readonly stallMs: number;
  /** Rejects when the model cannot answer any more. */
  readonly modelFailure: Promise<never>;
  readonly onReady: (queue: string) => void;
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Time for running jobs after the signal. Unfinished ones go back to the queue. Without Redis there is no
 * such time: answers could not be stored, and jobs could not be given back.
 */
const graceMs = 10_000;
/** Limit of giving jobs back, which would wait for a lost Redis. Others then take them after `stallMs`. */
const giveBackMs = 2000;
/** A job whose workers die this often is answered with an error: it may be the cause. */
const maxStalledCount = 5;

/**
 * Answers the jobs of a model's queue until the signal fires.
 *
 * @returns the number of answered jobs.
 * @throws the error of `modelFailure`. Running jobs go back to the queue first.
 */
export async function runWorker(options: WorkerOptions): Promise<number> {
  const { connection, prefix, model, answer, concurrency, stallMs, signal } = options;
  const { UnrecoverableError, WaitingError, Worker } = connection.bullmq;
  const giveBack = new AbortController();
  let count = 0;

  const worker = new Worker<unknown, BatchAnswer>(
    queueName(prefix, model),
    async (job, token) => {
      const request = requestOf(job.id ?? "", job.data, model);
      if (request === undefined) throw new UnrecoverableError(`it is not a request to the model ${model}`);
      try {
        const result = await answer(request, giveBack.signal);
        await job.updateProgress(100);
        count += 1;
        return result;
      } catch (error) {
        if (!giveBack.signal.aborted) throw error;
        await job.moveToWait(token);
        throw new WaitingError();
      }
    },
    {
      connection: connection.client,
      concurrency,
      lockDuration: stallMs,
      stalledInterval: stallMs,
      maxStalledCount,
      // The default of 15 s would keep workers idle after a restart of Redis.
      runRetryDelay: 1000,
    },
  );
  noteErrors(worker, options.onNote);
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([worker.waitUntilReady(), stopped, options.modelFailure]);
    options.onReady(worker.name);
    await Promise.race([stopped, options.modelFailure]);
    await Promise.race([worker.close(connection.isLost), pause(graceMs)]);
    return count;
  } finally {
    giveBack.abort();
    await Promise.race([worker.close(connection.isLost), pause(connection.isLost ? 0 : giveBackMs)]);
    connection.close();
  }
}

/** Notes each error once in a row. Errors of the connection are noted by the connection. */
function noteErrors(
  worker: { on(event: "error", listener: (error: Error) => void): unknown },
  onNote: (note: string) => void,
): void {
  let last: string | undefined;
  worker.on("error", (error) => {
    const isConnection = "syscall" in error || /connection is closed/i.test(error.message);
    if (!isConnection && error.message !== last) onNote(`The queue failed: ${error.message}; trying again`);
    last = error.message;
  });
}

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs).unref());
}
