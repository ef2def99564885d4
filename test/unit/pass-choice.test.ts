import { describe, expect, it } from "vitest";
import { createPassChoice } from "#dist/engine/pass-choice.js";
import { randomOf } from "../support/random-of.js";

/** Runs passes on a clock of its own. @returns how many of the passes ran alone. */
async function runPasses(options: {
  readonly count: number;
  readonly tokens?: number;
  readonly bytesPerToken?: number;
  readonly workers?: number;
  /** Milliseconds of a pass. */
  readonly time: (alone: boolean, pass: number) => number;
}): Promise<readonly boolean[]> {
  const { count, tokens = 1, bytesPerToken = 6e6, workers = 2, time } = options;
  let clock = 0;
  const choice = createPassChoice({ workers, bytesPerToken, now: () => clock });
  const chosen: boolean[] = [];
  for (let pass = 0; pass < count; pass += 1) {
    await choice.run(tokens, async (who) => {
      const alone = who === "alone";
      chosen.push(alone);
      clock += time(alone, pass);
    });
  }
  return chosen;
}
const share = (chosen: readonly boolean[]): number => chosen.filter(Boolean).length / chosen.length;

describe("the choice of workers for a pass", () => {
  it("is worker 0 alone where the team is slower, and the team where it is faster", async () => {
    const slowTeam = await runPasses({ count: 400, time: (alone) => (alone ? 1 : 4) });
    expect(share(slowTeam.slice(24))).toBeGreaterThan(0.95);
    const fastTeam = await runPasses({ count: 400, time: (alone) => (alone ? 4 : 2) });
    expect(share(fastTeam.slice(24))).toBeLessThan(0.05);
  });

  it("changes when the machine becomes busy, and back", async () => {
    const chosen = await runPasses({
      count: 1800,
      time: (alone, pass) => (alone ? 2 : pass >= 600 && pass < 1200 ? 8 : 1),
    });
    expect(share(chosen.slice(200, 600))).toBeLessThan(0.05);
    expect(share(chosen.slice(1000, 1200))).toBeGreaterThan(0.95);
    expect(share(chosen.slice(1600))).toBeLessThan(0.05);
  });

  it("is right in 200 of 200 noisy runs", async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const random = randomOf(seed);
      // A fifth of the passes is late by up to 20 ms.
      const late = (): number => (random() < 0.2 ? random() * 20 : 0);
      const aloneIsFaster = seed % 2 === 0;
      const chosen = await runPasses({
        count: 400,
        time: (alone) => (alone === aloneIsFaster ? 1 : 2) + late(),
      });
      const right = share(chosen.slice(100));
      expect(aloneIsFaster ? right : 1 - right, `seed ${seed}`).toBeGreaterThan(0.75);
    }
  });

  it("stays with the team where both take as long", async () => {
    const random = randomOf(7);
    const chosen = await runPasses({ count: 1000, time: () => 1 + random() * 0.05 });
    expect(share(chosen.slice(24))).toBeLessThan(0.05);
  });

  it.each([
    ["a large model", { bytesPerToken: 853e6 }],
    ["a pass of many tokens", { tokens: 9 }],
    ["one worker", { workers: 1 }],
  ])("does not try %s alone", async (_, options) => {
    const chosen = await runPasses({ count: 100, time: (alone) => (alone ? 1 : 4), ...options });
    expect(share(chosen)).toBe(0);
  });

  it("fails as the pass fails, and goes on", async () => {
    const choice = createPassChoice({ workers: 2, bytesPerToken: 1e6 });
    await expect(choice.run(1, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await choice.run(1, () => Promise.resolve());
  });
});
