import type { Queue } from "bullmq";
import { throwIfAborted } from "../../errors.js";
import type { BatchRequest } from "../request.js";
import type { BatchAnswer } from "../result.js";
import type { Questions } from "../run-batch.js";
import type { RedisConnection } from "./connection.js";
import { answerOf, newJob, queueName } from "./job.js";

/** Requests in the queue at the same time. The rest waits on the disk. */
const maxQueued = 10_000;
const bulkSize = 200;
/** Pause between looks at the finished jobs, and between tries after a failure. */
const pollMs = 250;
const retryMs = 1000;
/** Limit of closing, which would wait for a lost Redis. */
const closeMs = 1000;
/** Pause between looks for workers and for jobs that Redis has lost. */
const checkMs = 30_000;
const firstCheckMs = 5000;

export interface QueueOptions {
  readonly connection: RedisConnection;
  /** First part of the queue's name. */
  readonly prefix: string;
  /** Digest of the model. */
  readonly model: string;
  readonly onNote: (note: string) => void;
}

/**
 * Answers requests by workers of a BullMQ queue.
 *
 * Finished jobs are found by looking at Redis, not by BullMQ's events: a restart of Redis loses events. A
 * finished job is deleted when its result is in the output.
 */
export async function answerByQueue(
  { connection, prefix, model, onNote }: QueueOptions,
  questions: Questions,
): Promise<void> {
  const name = queueName(prefix, model);
  const { signal } = questions;
  const queue = new connection.bullmq.Queue(name, { connection: connection.client });
  queue.on("error", () => undefined);
  const collector = createCollector(queue, model, questions, createRetry(signal, onNote));
  let nextCheckMs = performance.now() + firstCheckMs;
  connection.onReturn = () => (nextCheckMs = 0);
  let hasWorkers = true;
  try {
    for (;;) {
      const isAll = await collector.fill();
      const collected = await collector.collect();
      if (isAll && collector.pending === 0) return;
      if (performance.now() >= nextCheckMs) {
        nextCheckMs = performance.now() + checkMs;
        await collector.restoreLost();
        // Some services forbid the list of clients.
        const workers = await queue.getWorkersCount().catch(() => 1);
        if (workers === 0 && hasWorkers) {
          onNote(
            `No worker serves the queue "${name}"; start one: bitnet worker --redis ${connection.address} [model]`,
          );
        }
        hasWorkers = workers > 0;
      }
      if (collected === 0) await pause(pollMs);
    }
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    await Promise.race([queue.close().catch(() => undefined), pause(closeMs)]);
  }
}

/** Fills a queue and collects its results. */
interface Collector {
  /** Number of requests in the queue. */
  readonly pending: number;
  /** Adds requests. @returns whether all of them have been added. */
  fill(): Promise<boolean>;
  /** Writes results. @returns their number. */
  collect(): Promise<number>;
  /** Adds jobs again that Redis does not have any more. */
  restoreLost(): Promise<void>;
}

type Retry = <T>(call: () => Promise<T>) => Promise<T>;

function createCollector(
  queue: Queue,
  model: string,
  { requests, write, isAnswered }: Questions,
  retry: Retry,
): Collector {
  const pending = new Map<string, BatchRequest>();
  let isAll = false;

  async function take(): Promise<BatchRequest[]> {
    const taken: BatchRequest[] = [];
    while (taken.length < bulkSize && !isAll) {
      const next = await requests.next();
      if (next.done === true) isAll = true;
      else taken.push(next.value);
    }
    return taken;
  }
  const add = (added: readonly BatchRequest[]): Promise<unknown> =>
    retry(() => queue.addBulk(added.map((request) => newJob(request, model))));

  async function collectJob(id: string): Promise<number> {
    const request = pending.get(id);
    // A batch that shares the queue collects its own jobs. Ours are answered if a killed run left them.
    if (request === undefined && !isAnswered(id)) return 0;
    if (request !== undefined) {
      const job = await retry(() => queue.getJob(id));
      if (job === undefined) return 0;
      const answer = answerOf(job.returnvalue) ?? jobFailure(job.failedReason);
      await write(request, answer);
      pending.delete(id);
    }
    await retry(() => queue.remove(id));
    return request === undefined ? 0 : 1;
  }

  return {
    get pending(): number {
      return pending.size;
    },
    async fill() {
      while (!isAll && pending.size < maxQueued) {
        const taken = await take();
        if (taken.length > 0) await add(taken);
        for (const request of taken) pending.set(request.id, request);
      }
      return isAll;
    },
    async collect() {
      let count = 0;
      for (const id of await retry(() => queue.getRanges(["completed", "failed"], 0, -1))) {
        count += await collectJob(id);
      }
      return count;
    },
    async restoreLost() {
      const all = [...pending.values()];
      for (let begin = 0; begin < all.length; begin += bulkSize) {
        const some = all.slice(begin, begin + bulkSize);
        const states = await retry(() => Promise.all(some.map(({ id }) => queue.getJobState(id))));
        const lost = some.filter((_, index) => states[index] === "unknown");
        // A job in no list of its queue would keep its id taken.
        for (const { id } of lost) await retry(() => queue.remove(id));
        if (lost.length > 0) await add(lost);
      }
    },
  };
}

/** Tries a call until it succeeds: Redis may be full, loading, or without space on its disk. */
function createRetry(signal: AbortSignal, onNote: (note: string) => void): Retry {
  let noted: string | undefined;
  // Commands that wait for a lost Redis may never end.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => undefined);
  return async (call) => {
    for (;;) {
      throwIfAborted(signal);
      try {
        const result = await Promise.race([call(), aborted]);
        noted = undefined;
        return result;
      } catch (error) {
        throwIfAborted(signal);
        const why = error instanceof Error ? error.message : String(error);
        if (why !== noted) onNote(`Redis refuses a command: ${why}; trying again`);
        noted = why;
        await pause(retryMs);
      }
    }
  };
}

function jobFailure(reason: string | undefined): BatchAnswer {
  const message = `the queue gave up: ${reason ?? "the job has no answer"}`;
  return { response: null, error: { code: "job_failed", message } };
}

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}
