import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, refuseUnknownOptions } from "#dist/options/known-options.js";

const known = ["maxTokens", "temperature", "topK", "topP", "seed"];

describe("unknown options", () => {
  test.each([
    ["maxTokns", "did you mean maxTokens?"],
    ["max_tokens", "did you mean maxTokens?"],
    ["TEMPERATURE", "did you mean temperature?"],
    ["top-k", "did you mean topK?"],
    ["zebra", "it knows maxTokens, seed, temperature, topK, topP"],
    ["x", "it knows maxTokens, seed, temperature, topK, topP"],
  ])("%s is refused", (name, advice) => {
    const refuse = (): void => refuseUnknownOptions("generate", { seed: 1, [name]: 2 }, known);
    expect(refuse).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: `Unknown option ${name} of generate: ${advice}`,
        details: { option: name, value: 2 },
      }),
    );
  });

  test("known options, undefined values and no options pass", () => {
    refuseUnknownOptions("generate", { seed: 1, topK: null }, known);
    refuseUnknownOptions("generate", { zebra: undefined }, known);
    refuseUnknownOptions("generate", undefined, known);
  });

  test.each([[null], [7], ["text"], [[1]]])("%j is not an object of options", (given) => {
    expect(() => refuseUnknownOptions("generate", given, known)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", details: { option: "options", value: given } }),
    );
  });
});

describe("edit distance", () => {
  /** The definition, by recursion. */
  function distance(a: string, b: string): number {
    if (a === "" || b === "") return a.length + b.length;
    if (a.at(0) === b.at(0)) return distance(a.slice(1), b.slice(1));
    const rest = [
      [a.slice(1), b],
      [a, b.slice(1)],
      [a.slice(1), b.slice(1)],
    ].map(([x = "", y = ""]) => distance(x, y));
    return 1 + Math.min(...rest);
  }
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });

  test("is the definition's", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(distance(a, b));
      }),
    );
  });
});
