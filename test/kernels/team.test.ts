import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { instantiateKernels } from "#dist/wasm/kernel-build.js";
import { type Build, type BuildName, buildNames, compileBuilds } from "./builds.js";

const stateAddress = 65536;
const countersAddress = 65600;

interface WorkerReport {
  /**
   * The number of times that another worker's counter differed from this worker's round, between two
   * barriers.
   */
  readonly outOfStep: number;
  /** The last completed round. */
  readonly met: number;
  /** The barrier's return value after the end, if the team was broken. */
  readonly afterwards: number;
}

interface Rounds {
  readonly rounds: number;
  /** One of so many rounds begins late by some milliseconds, for another worker each time. 0 for never. */
  readonly lateEvery: number;
  readonly lateMs: number;
}

interface Team {
  readonly memory: WebAssembly.Memory;
  readonly reports: Promise<readonly WorkerReport[]>;
}

const builds = new Map<BuildName, Build>();
const workers: Worker[] = [];
beforeAll(async () => {
  for (const build of await compileBuilds()) builds.set(build.name, build);
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

/** Starts `present` of the team's workers. */
function startTeam(build: Build, workerCount: number, present: number, rounds: Rounds): Team {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  const started = Array.from({ length: present }, (_, index) => {
    const workerData = {
      module: build.module,
      memory,
      stateAddress,
      countersAddress,
      index,
      workerCount,
      ...rounds,
    };
    const worker = new Worker(new URL("./team-worker.mjs", import.meta.url), { workerData });
    workers.push(worker);
    return new Promise<WorkerReport>((resolve, reject) =>
      worker.once("message", resolve).once("error", reject),
    );
  });
  return { memory, reports: Promise.all(started) };
}

describe.each(buildNames)("team_barrier in the %s build", (name) => {
  it.for([
    { workerCount: 2, rounds: 3000, lateEvery: 0, lateMs: 0 },
    { workerCount: 3, rounds: 300, lateEvery: 0, lateMs: 0 },
    { workerCount: 2, rounds: 60, lateEvery: 2, lateMs: 1 },
    { workerCount: 3, rounds: 60, lateEvery: 2, lateMs: 1 },
  ])(
    "keeps $workerCount threads in step for $rounds rounds, $lateMs ms late now and then",
    async ({ workerCount, ...rounds }, { skip }) => {
      const build = builds.get(name) ?? skip(`this runtime does not accept the ${name} build`);
      const { memory, reports } = startTeam(build, workerCount, workerCount, rounds);
      const expected = { outOfStep: 0, met: rounds.rounds, afterwards: 0 };
      expect(await reports).toEqual(Array.from({ length: workerCount }, () => expected));
      // No worker still waits, and each round passed two barriers.
      expect([...new Int32Array(memory.buffer, stateAddress, 4)]).toEqual([0, 2 * rounds.rounds, 0, 0]);
    },
  );
});

describe.each(buildNames)("team_break in the %s build", (name) => {
  it.for([
    ["asleep", 200],
    ["just arrived", 0],
  ] as const)("releases workers that wait for a missing worker: %s", async ([, waitMs], { skip }) => {
    const build = builds.get(name) ?? skip(`this runtime does not accept the ${name} build`);
    const { memory, reports } = startTeam(build, 3, 2, { rounds: 10, lateEvery: 0, lateMs: 0 });
    const state = new Int32Array(memory.buffer, stateAddress, 4);
    const deadline = performance.now() + 20_000;
    while (Atomics.load(state, 0) < 2 && performance.now() < deadline) await sleep(1);
    await sleep(waitMs);
    if (waitMs > 0) expect(Atomics.load(state, 2)).toBe(2);
    instantiateKernels(build.module, memory).team_break(stateAddress);
    const broken = { outOfStep: 0, met: 0, afterwards: 1 };
    expect(await reports).toEqual([broken, broken]);
    expect(Atomics.load(state, 2)).toBe(0);
  });
});
