// A thread of team.test.ts. It meets the other workers many times, and counts the rounds in which it sees
// them out of step.
import { parentPort, workerData } from "node:worker_threads";
import { instantiateKernels } from "#dist/wasm/kernel-build.js";

const { module, memory, stateAddress, countersAddress, index, workerCount, rounds, lateEvery, lateMs } =
  workerData;
const { team_barrier: barrier } = instantiateKernels(module, memory);
// Plain reads and writes. Only the barrier makes the workers' earlier writes visible to all workers after it.
const counters = new Int32Array(memory.buffer, countersAddress, workerCount);

/** Arrives late, so that the others stop spinning and sleep. */
function dawdle() {
  const end = performance.now() + lateMs;
  while (performance.now() < end);
}

/** About 10 µs: so short that workers sleep if one is late. */
const spins = 20000;

let outOfStep = 0;
let met = 0;
for (let round = 1; round <= rounds; round += 1) {
  if (lateEvery > 0 && round % lateEvery === 0 && (round / lateEvery) % workerCount === index) dawdle();
  counters[index] = round;
  if (barrier(stateAddress, workerCount, spins) !== 0) break;
  for (let worker = 0; worker < workerCount; worker += 1) if (counters[worker] !== round) outOfStep += 1;
  if (barrier(stateAddress, workerCount, spins) !== 0) break;
  met = round;
}
const afterwards = met === rounds ? 0 : barrier(stateAddress, workerCount, spins);
parentPort.postMessage({ outOfStep, met, afterwards });
