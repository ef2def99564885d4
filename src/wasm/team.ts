import { BitNetError } from "../errors.js";
import { availableParallelism } from "../platform/node.js";
import { startThread, type Thread } from "../platform/threads.js";
import { type CompiledKernels, instantiateKernels } from "./kernel-build.js";
import type { ProductChoice } from "./choose-matmul.js";
import type { Kernels } from "./kernels.js";
import type { Memories } from "./memory.js";

/** What every member gets at its start. */
export interface MemberStart {
  readonly kind: "start";
  readonly index: number;
  readonly count: number;
  readonly module: WebAssembly.Module;
  readonly product: ProductChoice;
  /** Where the team's barrier keeps its state: address in region 0. */
  readonly barrierAddress: number;
  /** How often a member looks for the others before it sleeps. */
  readonly spins: number;
  /** Whether to measure each operation of a pass. */
  readonly profile: boolean;
}

/** A memory that members may meet from now on. */
export interface MemberRegion {
  readonly kind: "region";
  readonly index: number;
  readonly memory: WebAssembly.Memory;
}

/** What members answer. Member 0 speaks for all when a job is done; any member may fail. `P` is what a pass's profile holds. */
export type MemberAnswer<P extends object> =
  | {
      readonly kind: "done";
      readonly job: number;
      /** Where the team measures. */
      readonly profile?: P;
    }
  | { readonly kind: "failed"; readonly message: string };

/**
 * Threads that run the same jobs in step over shared memory. The caller's thread only posts and waits for messages, so its
 * event loop stays free; members synchronise among themselves inside wasm (assembly/kernels/team).
 */
export interface Team {
  readonly members: number;
  /** Tells all members something; what they make of it is up to the script they run. */
  tell(message: object): void;
  /**
   * Has all members do a job, one after another in the order of calls.
   * @throws BitNetError WORKER_FAILED if a member dies, now and on every later call; DISPOSED after stop.
   */
  run(job: object): Promise<void>;
  /** Settles with WORKER_FAILED when a member has died; never, if none does. */
  readonly failure: Promise<BitNetError>;
  /** Ends the threads; jobs under way are rejected with DISPOSED. Idempotent. */
  stop(): Promise<void>;
}

/** Bytes of the barrier's state, a cache line of its own. */
export const barrierBytes = 64;

/**
 * While each member has a core, waits are imbalances of microseconds, and whoever sleeps is woken 25 µs late. About 10, 50 and
 * 200 µs of spinning gave a 2B4T token 29.7, 28.2 and 29.2 ms: a core that spins for long is one that the system
 * does not move the other member to, where both were woken on one. Members without a core of their own wait for one that
 * cannot run while they spin.
 */
const spins = { ownCore: 100_000, sharedCore: 4_000 };
/** At the start of a job, threads may be woken on one core: about 10 µs, and then the first makes way for the others. */
const firstSpins = 20_000;

interface PendingJob {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * @param options.onProfile called after each pass with what member 0 measured in it.
 * @param script what members run: a module that answers the messages above and the caller's own.
 */
export function startTeam(
  script: URL,
  members: number,
  kernels: CompiledKernels,
  memories: Memories,
  product: ProductChoice,
  barrierAddress: number,
  options: { readonly onProfile?: ((profile: object) => void) | undefined } = {},
): Team {
  const pending = new Map<number, PendingJob>();
  let lastJob = 0;
  let ended: BitNetError | undefined;
  let tellFailure: (failure: BitNetError) => void = () => undefined;
  const failure = new Promise<BitNetError>((resolve) => {
    tellFailure = resolve;
  });

  function end(error: BitNetError): void {
    if (ended !== undefined) return;
    ended = error;
    const home = memories.regions[0];
    // Members that wait for one that will not come would wait for ever.
    if (home !== undefined) instantiateKernels(kernels.module, home.memory).team_break(barrierAddress);
    for (const job of pending.values()) job.reject(error);
    pending.clear();
    hold(false);
    if (error.code === "WORKER_FAILED") tellFailure(error);
  }

  function receive(message: unknown): void {
    const answer = message as MemberAnswer<object>;
    if (answer.kind === "failed") {
      fail(new Error(answer.message));
      return;
    }
    const job = pending.get(answer.job);
    pending.delete(answer.job);
    if (answer.profile !== undefined) options.onProfile?.(answer.profile);
    if (pending.size === 0) hold(false);
    job?.resolve();
  }

  function fail(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    end(new BitNetError("WORKER_FAILED", `A worker thread failed (${why}); load the model again`, { cause }));
    void Promise.allSettled(threads.map((thread) => thread.stop()));
  }

  const threads: Thread[] = [];
  /** Threads keep the process alive only while they have something to do. */
  function hold(keep: boolean): void {
    for (const thread of threads) thread.hold(keep);
  }
  for (let index = 0; index < members; index += 1) {
    const thread = startThread(script, `bitnet-${index}`, receive, fail);
    threads.push(thread);
    thread.hold(false);
    const start: MemberStart = {
      kind: "start",
      index,
      count: members,
      module: kernels.module,
      product,
      barrierAddress,
      spins: members <= availableParallelism() ? spins.ownCore : spins.sharedCore,
      profile: options.onProfile !== undefined,
    };
    thread.post(start);
  }

  return {
    members,
    failure,
    tell(message): void {
      for (const thread of threads) thread.post(message);
    },
    run(job): Promise<void> {
      if (ended?.code === "DISPOSED")
        return Promise.reject(new BitNetError("DISPOSED", "The model has been disposed"));
      if (ended !== undefined) return Promise.reject(ended);
      lastJob += 1;
      const id = lastJob;
      hold(true);
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        for (const thread of threads) thread.post({ ...job, job: id });
      });
    },
    async stop(): Promise<void> {
      end(new BitNetError("DISPOSED", "The model was disposed while it was working"));
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

/**
 * A member's side of the barrier: returns when all members have come.
 * @param first whether the job has only begun, so that others may not even be awake.
 * @throws Error if the team was broken meanwhile.
 */
export function waitForTeam(
  kernels: Kernels,
  { barrierAddress, count, spins }: MemberStart,
  first = false,
): void {
  if (count === 1) return;
  if (kernels.team_barrier(barrierAddress, count, first ? Math.min(spins, firstSpins) : spins) !== 0)
    throw new Error("another member of the team failed");
}
