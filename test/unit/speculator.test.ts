import { describe, expect, it } from "vitest";
import { createPassCosts, type PassCosts } from "#dist/generation/speculation/pass-costs.js";
import { createSpeculator } from "#dist/generation/speculation/speculator.js";

/** The costs of passes by a function. */
function fixedCosts(of: (tokens: number) => number): PassCosts {
  return { of, record: () => undefined };
}
const free = fixedCosts(() => 1);

/**
 * Writes a text token by token.
 * @returns the drafts on the way.
 */
function drafts(
  text: readonly number[],
  costs: PassCosts,
  { mode = "auto", maxTokens = 15 }: { readonly mode?: "auto" | "always"; readonly maxTokens?: number } = {},
): readonly (readonly number[])[] {
  const speculator = createSpeculator(mode, costs);
  const history = [0];
  return text.map((token) => {
    const draft = [...speculator.draft(history, maxTokens)];
    history.push(token);
    speculator.learn(history, token);
    return draft;
  });
}

const period = [11, 12, 13, 14, 15];
const repetitive = Array.from({ length: 100 }, (_, index) => period[index % period.length] ?? 0);
/** Every token occurred before, with a different next token each time. */
const misleading = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 7 : 100 + index));

describe("a speculator", () => {
  it("drafts the continuation of a repetitive text", () => {
    const all = drafts(repetitive, free);
    const longest = all.at(-1) ?? [];
    expect(longest).toEqual(Array.from({ length: 15 }, (_, index) => period[(99 + index) % 5]));
    expect(all[0]).toEqual([]);
  });

  it("drafts at most the requested number of tokens", () => {
    for (const mode of ["auto", "always"] as const) {
      for (const maxTokens of [0, 1, 2, 5])
        for (const draft of drafts(repetitive, free, { mode, maxTokens }))
          expect(draft.length).toBeLessThanOrEqual(maxTokens);
    }
  });

  it("drafts nothing if passes cost as much as their tokens one by one", () => {
    expect(
      drafts(
        repetitive,
        fixedCosts((tokens) => tokens),
      ).flat(),
    ).toEqual([]);
    expect(
      drafts(
        repetitive,
        fixedCosts((tokens) => tokens),
        { mode: "always" },
      ).flat(),
    ).not.toEqual([]);
  });

  it("uses the pass size with the highest expected gain", () => {
    const stairs = fixedCosts((tokens) => (tokens <= 4 ? 1.2 : 10));
    expect(drafts(repetitive, stairs).at(-1)).toHaveLength(3);
  });

  it("stops drafts while they fail, and starts again when they would be right", () => {
    const costs = fixedCosts((tokens) => 1 + (tokens - 1) * 0.3);
    const all = drafts([...misleading, ...repetitive], costs);
    expect(all.slice(50, 100).flat()).toEqual([]);
    expect(all.slice(-50).every((draft) => draft.length > 0)).toBe(true);
  });

  it("drafts at any cost after any known token if the mode is always", () => {
    const all = drafts(
      misleading,
      fixedCosts((tokens) => tokens),
      { mode: "always" },
    );
    expect(all.filter((draft) => draft.length > 0).length).toBe(49);
  });
});

describe("costs of passes", () => {
  it("equal the measured costs of passes of one token", () => {
    const costs = createPassCosts();
    for (let i = 0; i < 50; i += 1) {
      costs.record(1, 10);
      costs.record(4, 25);
    }
    expect(costs.of(1)).toBe(1);
    expect(costs.of(4)).toBeCloseTo(2.5, 1);
  });

  it("are between the costs of one token and of all tokens, for any clock", () => {
    const costs = createPassCosts();
    costs.record(1, 10);
    for (let i = 0; i < 50; i += 1) {
      costs.record(2, 1e9);
      costs.record(8, 0);
    }
    expect(costs.of(2)).toBeCloseTo(2, 1);
    expect(costs.of(8)).toBeCloseTo(1, 1);
  });

  it("recover from one busy moment", () => {
    const costs = createPassCosts();
    const hopeful = costs.of(4);
    costs.record(1, 10);
    costs.record(4, 1e6);
    costs.record(1, 1e6);
    expect(costs.of(4)).toBeGreaterThan(3.9);
    for (let i = 0; i < 2000; i += 1) costs.record(1, 10);
    expect(costs.of(4)).toBeCloseTo(hopeful, 1);
    costs.record(4, 20);
    expect(costs.of(4)).toBeLessThan(hopeful + 0.1);
  });
});
