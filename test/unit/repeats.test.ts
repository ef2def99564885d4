import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findRepeat, type Repeat } from "#dist/generation/speculation/repeats.js";

/** By definition: the longest common ending with an earlier position, and the latest such position. */
function findSlowly(tokens: readonly number[], longest: number): Repeat {
  const endings = tokens.slice(0, -1).map((_, at) => {
    let length = 0;
    while (length < longest && length <= at && tokens[at - length] === tokens[tokens.length - 1 - length])
      length += 1;
    return { at, length };
  });
  const length = Math.max(0, ...endings.map((ending) => ending.length));
  return { at: endings.findLast((ending) => ending.length === length)?.at ?? -1, length };
}

describe("findRepeat", () => {
  it("finds the latest of the longest earlier endings that are the same", () => {
    const texts = fc.array(fc.nat(3), { maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 12 }), (tokens, longest) => {
        const found = { at: -1, length: -1 };
        findRepeat(tokens, longest, found);
        const expected = findSlowly(tokens, longest);
        expect(found.length).toBe(expected.length);
        if (found.length > 0) expect(found).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[string, number[], Repeat]>([
    [
      "a repeated end, although another position is nearer",
      [1, 2, 3, 9, 3, 8, 1, 2, 3],
      { at: 2, length: 3 },
    ],
    ["the nearest of equals", [5, 5, 5, 5], { at: 2, length: 3 }],
  ])("finds %s", (_, tokens, expected) => {
    const found = { at: 0, length: 0 };
    findRepeat(tokens, 10, found);
    expect(found).toEqual(expected);
  });

  it.each([[[]], [[1]], [[1, 2, 3]]])("finds nothing in %j", (tokens) => {
    const found = { at: 0, length: 7 };
    findRepeat(tokens, 10, found);
    expect(found.length).toBe(0);
  });
});
