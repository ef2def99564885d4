import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commonPrefix, planStep } from "#dist/generation/scheduling/step-plan.js";

/** A sequence of tokens of its own kind, with some of them evaluated. */
function sequence(kind: number, length: number, position: number): { history: number[]; position: number } {
  return { history: Array.from({ length }, (_, index) => kind * 1000 + index), position };
}

describe("planStep", () => {
  const sequences = fc.array(
    fc.record({ kind: fc.nat(3), length: fc.integer({ min: 1, max: 120 }), done: fc.nat(119) }),
    { minLength: 1, maxLength: 12 },
  );

  it("gives every text its token, stays within limits, and always makes progress", () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 13, max: 90 }), (given, batchTokens) => {
        const all = given.map(({ kind, length, done }) => sequence(kind, length, Math.min(done, length - 1)));
        const parts = planStep(all, batchTokens);
        expect(new Set(parts.map((part) => part.sequence)).size).toBe(parts.length);
        let total = 0;
        for (const part of parts) {
          const { history, position } = part.sequence;
          expect(part.tokens).toBeGreaterThan(0);
          expect(part.tokens).toBeLessThanOrEqual(history.length - position);
          total += part.tokens;
        }
        expect(total).toBeGreaterThan(0);
        expect(total).toBeLessThanOrEqual(batchTokens);
        const planned = new Set(parts.map((part) => part.sequence));
        for (const each of all)
          if (each.history.length - each.position === 1) expect(planned).toContain(each);
      }),
    );
  });

  it("evaluates a prompt alone in whole passes, and beside texts in small pieces", () => {
    const prompt = sequence(1, 100, 0);
    expect(planStep([prompt], 64)).toEqual([{ sequence: prompt, tokens: 64 }]);
    const text = sequence(2, 10, 9);
    const [first, second] = planStep([prompt, text], 64);
    expect(first).toEqual({ sequence: text, tokens: 1 });
    expect(second?.sequence).toBe(prompt);
    expect(second?.tokens).toBeLessThan(64);
  });

  it("gives prompts room in the order given", () => {
    const [a, b] = [sequence(1, 40, 0), sequence(2, 40, 0)];
    expect(planStep([b, a], 64)).toEqual([
      { sequence: b, tokens: 40 },
      { sequence: a, tokens: 24 },
    ]);
  });

  it("lets a prompt wait only for a prompt with the same beginning", () => {
    const [a, b] = [sequence(1, 40, 0), sequence(1, 50, 0)];
    expect(planStep([a, b], 64)).toEqual([{ sequence: a, tokens: 40 }]);
    // A common first token is not worth a wait.
    const c = { history: [1000, ...sequence(2, 30, 0).history], position: 0 };
    expect(planStep([a, c], 80).map((part) => part.sequence)).toEqual([a, c]);
    // Tokens that both sequences already have are not worth one either.
    const [d, e] = [sequence(1, 60, 20), { ...sequence(1, 30, 0), position: 0 }];
    expect(planStep([d, e], 200).map((part) => part.sequence)).toEqual([d, e]);
  });
});

describe("commonPrefix", () => {
  it("is the longest common beginning of two lists, up to a limit", () => {
    const short = fc.array(fc.nat(1), { maxLength: 8 });
    fc.assert(
      fc.property(short, short, fc.nat(9), (a, b, max) => {
        const length = commonPrefix(a, b, max);
        expect(a.slice(0, length)).toEqual(b.slice(0, length));
        const ends = [a.length, b.length, max].includes(length);
        expect(ends || a[length] !== b[length]).toBe(true);
      }),
    );
  });
});
