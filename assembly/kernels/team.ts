// How the threads of a team wait for one another. All state is four words of shared memory, zero at first:
// 0 arrived, 4 generation, 8 sleepers, 12 broken.

import { Address } from "../address";

/**
 * Returns once all `members` have called it: 0, or 1 if the team was broken (team_break) before that.
 * The last to arrive starts the next generation; the others look `spins` times whether it has, half a nanosecond each, and then sleep.
 */
export function team_barrier(state: Address, members: i32, spins: i32): i32 {
  const generation = atomic.load<i32>(state, 4);
  if (atomic.load<i32>(state, 12) != 0) return 1;
  if (atomic.add<i32>(state, 1) == members - 1) {
    atomic.store<i32>(state, 0);
    atomic.add<i32>(state, 1, 4);
    // Sleepers announce themselves before they check the generation again, so one that is not counted yet will not sleep.
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

/** Marks the team as broken and wakes whoever sleeps: a member has failed and will not arrive. */
export function team_break(state: Address): void {
  atomic.store<i32>(state, 1, 12);
  atomic.add<i32>(state, 1, 4);
  atomic.notify(state + 4, -1);
}
