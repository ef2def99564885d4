// The barrier of a team's workers. Its state is four words of shared memory, zero at first:
//
//   byte 0    number of workers that have arrived
//   byte 4    generation
//   byte 8    number of sleepers
//   byte 12   whether the team is broken
//
//   last to arrive:   arrived = 0, generation += 1, wake the sleepers
//   all others:       spin while the generation is the old one, then sleep until it is not

import { Address } from "../address";

/**
 * Waits until all `workers` have called it. Spins up to `spins` times, about half a nanosecond each, then
 * sleeps.
 *
 * Shapes    state [4]
 * Types     state i32, shared by the threads
 * Requires  state 4-byte aligned, zero at first, and changed by these two kernels only
 * Range     workers ≥ 1, equal in all calls · spins ≥ 0
 * Returns   0, or 1 if team_break was called before the others arrived
 * Exact     no numbers are computed
 * Splits    no: each worker calls it once
 */
export function team_barrier(state: Address, workers: i32, spins: i32): i32 {
  const generation = atomic.load<i32>(state, 4);
  if (atomic.load<i32>(state, 12) != 0) return 1;
  if (atomic.add<i32>(state, 1) == workers - 1) {
    atomic.store<i32>(state, 0);
    atomic.add<i32>(state, 1, 4);
    // A sleeper counts itself, then checks the generation again. So a sleeper that
    // is not counted here will not sleep.
    if (atomic.load<i32>(state, 8) != 0) atomic.notify(state + 4, -1);
    return atomic.load<i32>(state, 12);
  }
  for (let i = 0; i < spins; ++i) {
    if (atomic.load<i32>(state, 4) != generation) return atomic.load<i32>(state, 12);
  }
  atomic.add<i32>(state, 1, 8);
  while (atomic.load<i32>(state, 4) == generation && atomic.load<i32>(state, 12) == 0) {
    atomic.wait<i32>(state + 4, generation, -1);
  }
  atomic.sub<i32>(state, 1, 8);
  return atomic.load<i32>(state, 12);
}

/**
 * Marks the team as broken and wakes its sleepers: a worker has failed and will not arrive.
 *
 * Contract as team_barrier, but it returns at once, without a result. Any thread may call it at any time.
 */
export function team_break(state: Address): void {
  atomic.store<i32>(state, 1, 12);
  atomic.add<i32>(state, 1, 4);
  atomic.notify(state + 4, -1);
}
