import { describe, expect, it } from "vitest";
import { createShareChoice, type ShareChoice, type Shares } from "#dist/engine/share-choice.js";
import { share } from "#dist/graph/worker-context.js";
import { randomOf } from "../support/random-of.js";

/** Workers of these speeds. A pass takes 20 ms of one worker of speed 1. */
function workersOf(speeds: number[], noise: () => number = () => 1) {
  let before: readonly number[] = speeds.map(() => 0);
  let now = before;
  const choice = createShareChoice({ workers: speeds.length, busy: () => before });
  /** Runs a pass. The choice can read the times of the one before. */
  const pass = (shares: Shares): void => {
    before = now;
    now = shares.map((part, i) => ((20 * part) / (speeds[i] ?? 1)) * noise());
  };
  return { choice, pass };
}

interface PassesOptions {
  readonly tokens?: number;
  readonly who?: "team" | "alone";
  /** Called after each pass. */
  readonly each?: () => void;
}

async function passes(
  choice: ShareChoice,
  count: number,
  pass: (shares: Shares) => void,
  { tokens = 1, who = "team", each }: PassesOptions = {},
): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await choice.run(tokens, (shares) => {
      pass(shares);
      return Promise.resolve(who);
    });
    each?.();
  }
}

describe("the shares of workers", () => {
  it.each([[[1, 0.4]], [[1, 1, 0.3, 0.3]], [[0.2, 1, 0.9, 1, 0.5]]])(
    "follow speeds of %j, so that all are ready at once",
    async (speeds) => {
      const { choice, pass } = workersOf(speeds);
      await passes(choice, 200, pass);
      const times = choice.shares.map((part, i) => part / (speeds[i] ?? 1));
      expect(Math.max(...times) / Math.min(...times)).toBeLessThan(1.11);
      expect(choice.shares.reduce((sum, part) => sum + part, 0)).toBeCloseTo(1, 12);
    },
  );

  it("stay near equal ones if times only vary", async () => {
    const random = randomOf(3);
    const { choice, pass } = workersOf([1, 1], () => 0.7 + 0.6 * random());
    let most = 0;
    await passes(choice, 3000, pass, { each: () => (most = Math.max(most, ...choice.shares)) });
    expect(most).toBeLessThan(0.58);
  });

  it("come back when a core is free again", async () => {
    const speeds = [1, 0.5];
    const { choice, pass } = workersOf(speeds);
    await passes(choice, 200, pass);
    expect(choice.shares[0]).toBeGreaterThan(0.63);
    speeds[1] = 1;
    await passes(choice, 200, pass);
    expect(choice.shares[0]).toBeCloseTo(0.5, 1);
  });

  it("are others for prompts than for tokens", async () => {
    const { choice, pass } = workersOf([1, 0.25]);
    await passes(choice, 100, pass, { tokens: 64 });
    expect(choice.shares).toEqual([0.5, 0.5]);
    let used: Shares = [];
    await passes(choice, 1, (shares) => (used = shares), { tokens: 64 });
    expect(used[0]).toBeGreaterThan(0.75);
  });

  it("leave every worker something to be measured by", async () => {
    const { choice, pass } = workersOf([1, 1e-6]);
    await passes(choice, 400, pass);
    expect(choice.shares[1]).toBeGreaterThan(0.05);
    expect(choice.shares[1]).toBeLessThan(0.07);
  });

  it("do not follow passes of one worker alone, passes at the same time, and clocks that stand still", async () => {
    const alone = workersOf([1, 0.4]);
    await passes(alone.choice, 200, alone.pass, { who: "alone" });
    expect(alone.choice.shares).toEqual([0.5, 0.5]);
    const still = workersOf([1, 0.4], () => 0);
    await passes(still.choice, 200, still.pass);
    expect(still.choice.shares).toEqual([0.5, 0.5]);
    const { choice, pass } = workersOf([1, 0.4]);
    for (let i = 0; i < 100; i += 1) await Promise.all([passes(choice, 1, pass), passes(choice, 1, pass)]);
    expect(choice.shares).toEqual([0.5, 0.5]);
  });

  it("never change if they are fixed", async () => {
    const choice = createShareChoice({ workers: 2, busy: () => [1, 50], fixed: [3, 1] });
    await passes(choice, 100, () => undefined);
    expect(choice.shares).toEqual([0.75, 0.25]);
  });
});

describe("a worker's range", () => {
  it("has no gaps and no overlaps, with any shares", () => {
    const random = randomOf(11);
    const whole = (below: number): number => Math.floor(random() * below);
    for (let trial = 0; trial < 2000; trial += 1) {
      const count = 1 + whole(9);
      const parts = Array.from({ length: count }, () => random() ** 4 + 1e-9);
      const total = parts.reduce((sum, part) => sum + part, 0);
      const shares = trial % 5 === 0 ? undefined : parts.map((part) => part / total);
      const [items, granule] = [whole(3000), [1, 16, 64, 128][whole(4)] ?? 1];
      let next = 0;
      for (let index = 0; index < count; index += 1) {
        const [begin, end] = share(items, { index, count, shares }, granule);
        expect(begin).toBe(next);
        expect(end).toBeGreaterThanOrEqual(begin);
        if (end < items) expect(end % granule).toBe(0);
        next = end;
      }
      expect(next).toBe(items);
    }
  });

  it("has its part of the items", () => {
    const shares = [0.7, 0.1, 0.2];
    const lengths = shares.map((_, index) => {
      const [begin, end] = share(2560, { index, count: 3, shares }, 16);
      return end - begin;
    });
    expect(lengths).toEqual([1792, 256, 512]);
  });
});
