import { BitNetError } from "../errors.js";
import { availableParallelism, startThread } from "#platform";
import { startInline, type Thread, type WorkerPort } from "../platform/thread.js";
import type { MatmulChoice } from "./choose-matmul.js";
import { instantiateKernels } from "./kernel-build.js";
import type { Kernels } from "./kernels.js";
import type { Memories } from "./memory.js";

/** The first message to every worker. */
export interface WorkerStart {
  readonly kind: "start";
  /** 0 … count − 1. */
  readonly index: number;
  readonly count: number;
  readonly module: WebAssembly.Module;
  readonly matmul: MatmulChoice;
  /** Address of the barrier's state in region 0. */
  readonly barrierAddress: number;
  /** Address in region 0 of an f64 for each worker: the milliseconds that it was busy in a pass. */
  readonly busyAddress: number;
  /** How often a worker polls the barrier before it sleeps. */
  readonly spins: number;
  /** Whether to measure each operation of a pass. */
  readonly profile: boolean;
}

/** A memory that workers may use from now on. */
export interface WorkerRegion {
  readonly kind: "region";
  readonly index: number;
  readonly memory: WebAssembly.Memory;
}

/**
 * A worker's answer. Worker 0 answers for all when a job is done; any worker may fail. `P` is a pass's
 * profile.
 */
export type WorkerAnswer<P extends object> =
  | {
      readonly kind: "done";
      readonly job: number;
      /** Present if the team measures. */
      readonly profile?: P;
    }
  | { readonly kind: "failed"; readonly message: string };

/**
 * Threads that run the same jobs in step over shared memory. The caller's thread only posts and receives
 * messages, so its event loop stays free. Workers synchronise among themselves inside wasm
 * (assembly/kernels/team).
 */
export interface Team {
  /** Number of workers, at least 1. */
  readonly workers: number;
  /** Number of threads of their own. */
  readonly threads: number;
  /** Posts a message to all workers; their script defines its meaning. */
  post(message: object): void;
  /**
   * Runs a job on all workers, or on worker 0 alone. Jobs run one after another in the order of calls.
   *
   * @param options.alone whether worker 0 runs it alone, without barriers. Default: false.
   * @throws BitNetError WORKER_FAILED once a worker has died; DISPOSED after stop.
   */
  run(job: object, options?: { readonly alone?: boolean }): Promise<void>;
  /** Resolves to WORKER_FAILED when a worker has died; stays pending otherwise. */
  readonly failure: Promise<BitNetError>;
  /** Ends the threads; unfinished jobs are rejected with DISPOSED. Idempotent. */
  stop(): Promise<void>;
}

/** Bytes of the barrier's state: a cache line of its own. */
export const barrierBytes = 64;

/**
 * With a core for each worker, waits take microseconds, and a sleeping worker wakes up 25 µs late. Spinning
 * for about 10, 50 and 200 µs gave a 2B4T token 29.7, 28.2 and 29.2 ms. If two workers wake up on one core,
 * long spinning keeps the system from moving one of them away. Workers that share a core wait for a worker
 * that cannot run while they spin.
 */
const spins = { ownCore: 100_000, sharedCore: 4_000 };
/**
 * About 10 µs. At the start of a job two workers may wake up on one core, and the first has to yield to the
 * second.
 */
const firstSpins = 20_000;

interface PendingJob {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Starts the threads of a team.
 *
 * @param options.serve answers the messages above and the caller's own, in the caller's thread. The script of
 *   a thread does the same.
 * @param options.threads number of threads. With 0, one worker runs in the caller's thread.
 * @param options.script the script of a thread, if it is not the package's own.
 * @param options.barrierAddress address of `barrierBytes` zeros in region 0.
 * @param options.busyAddress address of an f64 for each worker in region 0.
 * @param options.onProfile called after each pass with the measurements of worker 0.
 */
export function startTeam(options: {
  readonly serve: (port: WorkerPort) => void;
  readonly threads: number;
  readonly script: URL | string | undefined;
  readonly module: WebAssembly.Module;
  readonly matmul: MatmulChoice;
  readonly memories: Memories;
  readonly barrierAddress: number;
  readonly busyAddress: number;
  readonly onProfile?: ((profile: object) => void) | undefined;
}): Team {
  const { serve, script, module, matmul, memories, barrierAddress, busyAddress, onProfile } = options;
  const workers = Math.max(1, options.threads);
  const pending = new Map<number, PendingJob>();
  let lastJob = 0;
  let ended: BitNetError | undefined;
  let reportFailure: (failure: BitNetError) => void = () => undefined;
  const failure = new Promise<BitNetError>((resolve) => {
    reportFailure = resolve;
  });

  function end(error: BitNetError): void {
    if (ended !== undefined) return;
    ended = error;
    const home = memories.regions[0];
    // Otherwise workers would wait forever for a worker that has ended.
    if (home !== undefined) instantiateKernels(module, home.memory).team_break(barrierAddress);
    for (const job of pending.values()) job.reject(error);
    pending.clear();
    unrefAll();
    if (error.code === "WORKER_FAILED") reportFailure(error);
  }

  let answered = false;

  function receive(message: unknown): void {
    answered = true;
    const answer = message as WorkerAnswer<object>;
    if (answer.kind === "failed") {
      fail(new Error(answer.message));
      return;
    }
    const job = pending.get(answer.job);
    pending.delete(answer.job);
    if (answer.profile !== undefined) onProfile?.(answer.profile);
    if (pending.size === 0) unrefAll();
    job?.resolve();
  }

  function fail(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    // A script that never ran is the mistake of a bundle. Loading again would not help.
    const advice = answered
      ? "load the model again"
      : "if this program is a bundle, give loadModel the option workerUrl or threads: 0";
    end(new BitNetError("WORKER_FAILED", `A worker thread failed (${why}); ${advice}`, { cause }));
    void Promise.allSettled(threads.map((thread) => thread.stop()));
  }

  const threads: Thread[] = [];
  /** Threads keep the process alive only while a job is under way. */
  function unrefAll(): void {
    for (const thread of threads) thread.unref();
  }
  for (let index = 0; index < workers; index += 1) {
    const thread =
      options.threads === 0
        ? startInline(serve, receive)
        : startThread({ name: `bitnet-${index}`, role: "team", script, onMessage: receive, onFailure: fail });
    threads.push(thread);
    thread.unref();
    const start: WorkerStart = {
      kind: "start",
      index,
      count: workers,
      module,
      matmul,
      barrierAddress,
      busyAddress,
      spins: workers <= availableParallelism() ? spins.ownCore : spins.sharedCore,
      profile: onProfile !== undefined,
    };
    thread.post(start);
  }

  return {
    workers,
    threads: options.threads,
    failure,
    post(message): void {
      for (const thread of threads) thread.post(message);
    },
    run(job, { alone = false } = {}): Promise<void> {
      if (ended?.code === "DISPOSED")
        return Promise.reject(new BitNetError("DISPOSED", "The model has been disposed"));
      if (ended !== undefined) return Promise.reject(ended);
      lastJob += 1;
      const id = lastJob;
      const chosen = alone ? threads.slice(0, 1) : threads;
      for (const thread of chosen) thread.ref();
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        for (const thread of chosen) thread.post({ ...job, job: id, workers: chosen.length });
      });
    },
    async stop(): Promise<void> {
      end(new BitNetError("DISPOSED", "The model was disposed while it was working"));
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

/**
 * A worker's side of the barrier: returns when all workers have called it.
 *
 * @param workers number of workers that run the job: all, or 1.
 * @throws Error if a worker of the team has failed.
 */
export function waitForTeam(kernels: Kernels, start: WorkerStart, workers: number): void {
  meet(kernels, start, workers, start.spins);
}

/** As waitForTeam, for the first barrier of a job, when other workers may still be asleep. */
export function waitForJob(kernels: Kernels, start: WorkerStart, workers: number): void {
  meet(kernels, start, workers, Math.min(start.spins, firstSpins));
}

function meet(
  kernels: Kernels,
  { barrierAddress, count }: WorkerStart,
  workers: number,
  spins: number,
): void {
  // Worker 0 alone. The others may wait at the first barrier of the next job, which it joins later.
  if (workers === 1) return;
  if (kernels.team_barrier(barrierAddress, count, spins) !== 0)
    throw new Error("another worker of the team failed");
}
