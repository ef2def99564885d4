import { bytesOf, type KernelCase, type KernelTwin, requireSame } from "../kernel-case.js";

// The effects that a single worker can see. In test/kernels/team.test.ts threads wait for one another.

function stateCase(
  name: string,
  before: readonly number[],
  way: KernelCase["ways"][0],
  after: readonly number[],
  returned?: number,
): KernelCase {
  return {
    name,
    blocks: { state: bytesOf(Int32Array.from(before)) },
    aligned: ["state"],
    writes: { state: [[0, 16]] },
    ways: [way],
    check(outcome): void {
      requireSame(outcome.ints("state"), after, "arrived, generation, sleepers, broken");
      if (returned !== undefined) requireSame([outcome.returned ?? NaN], [returned], "returned");
    },
  };
}

export const teamBarrierTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    yield stateCase(
      "a team of one",
      [0, 0, 0, 0],
      (kernels, at) => kernels.team_barrier(at("state"), 1, 100),
      [0, 1, 0, 0],
      0,
    );
    yield stateCase(
      "the last of three",
      [2, 7, 0, 0],
      (kernels, at) => kernels.team_barrier(at("state"), 3, 100),
      [0, 8, 0, 0],
      0,
    );
    yield stateCase(
      "a broken team",
      [1, 7, 0, 1],
      (kernels, at) => kernels.team_barrier(at("state"), 3, 100),
      [1, 7, 0, 1],
      1,
    );
    const last = 2 ** 31 - 1;
    yield stateCase(
      "the last generation",
      [0, last, 0, 0],
      (kernels, at) => kernels.team_barrier(at("state"), 1, 100),
      [0, -last - 1, 0, 0],
      0,
    );
  },
};

export const teamBreakTwin: KernelTwin = {
  *cases(): Iterable<KernelCase> {
    yield stateCase(
      "nobody waits",
      [0, 3, 0, 0],
      (kernels, at) => kernels.team_break(at("state")),
      [0, 4, 0, 1],
    );
  },
};
