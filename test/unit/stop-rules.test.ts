import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStopMatcher } from "#dist/generation/stop-rules.js";

/** The complete output of a matcher for a text in these pieces. */
function run(
  pieces: readonly string[],
  stops: readonly string[],
): { text: string; stopped: boolean; outputs: string[] } {
  const matcher = createStopMatcher(stops);
  const results = pieces.map((piece) => matcher.push(piece));
  const outputs = [...results.map(({ text }) => text), matcher.flush()];
  return { text: outputs.join(""), stopped: results.some(({ stopped }) => stopped), outputs };
}

/** The text before the stop string that ends first. If several end together, the text before the longest. */
function cutByDefinition(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end += 1) {
    const lengths = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => stop.length);
    if (lengths.length > 0) return { text: text.slice(0, end - Math.max(...lengths)), stopped: true };
  }
  return { text, stopped: false };
}

const letters = (maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom("a", "b", "\n", "😁"), minLength, maxLength });

describe("stop matcher", () => {
  test("gives the text before the first match, for any division into pieces", () => {
    fc.assert(
      fc.property(
        fc.array(letters(6), { maxLength: 12 }),
        fc.array(letters(5, 1), { maxLength: 5 }),
        (pieces, stops) => {
          const { text, stopped } = run(pieces, stops);
          expect({ text, stopped }).toEqual(cutByDefinition(pieces.join(""), stops));
          const whole = run([pieces.join("")], stops);
          expect({ text, stopped }).toEqual({ text: whole.text, stopped: whole.stopped });
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("holds back no more than could begin a stop string", () => {
    fc.assert(
      fc.property(
        fc.array(letters(6), { maxLength: 12 }),
        fc.array(letters(5, 1), { maxLength: 5 }),
        (pieces, stops) => {
          const matcher = createStopMatcher(stops);
          let given = "";
          let all = "";
          for (const piece of pieces) {
            const { text, stopped } = matcher.push(piece);
            if (stopped) return;
            given += text;
            all += piece;
            const held = all.slice(given.length);
            expect(stops.some((stop) => stop.startsWith(held)) || held === "").toBe(true);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("never gives half a stop string or half a character", () => {
    expect(run(["Hello", " <", "|e", "nd|", ">more"], ["<|end|>"]).outputs).toEqual([
      "Hello",
      " ",
      "",
      "",
      "",
      "",
    ]);
    expect(run(["a <|en", "x"], ["<|end|>"]).outputs).toEqual(["a ", "<|enx", ""]);
    expect(run(["a <|en"], ["<|end|>"]).outputs).toEqual(["a ", "<|en"]);
    expect(run(["😁", "😀"], ["😀"]).outputs).toEqual(["😁", "", ""]);
  });

  test("gives nothing after the match", () => {
    const matcher = createStopMatcher(["x"]);
    expect(matcher.push("axb")).toEqual({ text: "a", stopped: true });
    expect(matcher.push("c")).toEqual({ text: "", stopped: true });
    expect(matcher.flush()).toBe("");
  });

  test("finds a short stop string inside the beginning of a long one", () => {
    expect(run(["abcd"], ["abcx", "bc"])).toMatchObject({ text: "a", stopped: true });
    expect(run(["xabc"], ["c", "abc"])).toMatchObject({ text: "x", stopped: true });
  });

  test("stays linear on stop strings that overlap themselves", () => {
    const matcher = createStopMatcher(["a".repeat(4000) + "b"]);
    let length = 0;
    for (let piece = 0; piece < 500; piece += 1) length += matcher.push("a".repeat(1000)).text.length;
    expect(length + matcher.flush().length).toBe(500_000);
  });
});
