import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { embeddedIds } from "#dist/language-model/embedded-ids.js";
import { changeInSteps, drain, inSlices, nextTurn, partsOf, type Steps } from "#dist/text/slices.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary, pieceVocabulary } from "../support/small-vocabularies.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a slice ends with the first step that passes its time", async () => {
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  let turns = 0;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((resolve: () => void) => {
    turns += 1;
    queueMicrotask(resolve);
  }) as unknown as typeof setTimeout);
  const turnsBefore: number[] = [];
  function* work(): Steps<string> {
    for (let step = 0; step < 7; step += 1) {
      turnsBefore.push(turns);
      nowMs += 4;
      yield;
    }
    return "done";
  }
  expect(await inSlices(work())).toBe("done");
  expect(turnsBefore).toEqual([0, 0, 0, 1, 1, 1, 2]);
});

test("each turn of the event loop goes to one caller, first come, first served", async () => {
  const waiting: (() => void)[] = [];
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((resolve: () => void) =>
    waiting.push(resolve)) as unknown as typeof setTimeout);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const served: number[] = [];
  for (const caller of [0, 1, 2, 3]) void nextTurn().then(() => served.push(caller));
  for (const callers of [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]) {
    await settled();
    expect(waiting).toHaveLength(1);
    waiting.pop()?.();
    await settled();
    expect(served).toEqual(callers);
  }
});

test("parts of a text are the text, and none ends inside a character", () => {
  const unit = fc.constantFrom("a", "é", "😁", "\ud83d", "\ude01");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (text, length) => {
      const parts = [...partsOf(text, length)];
      expect(parts.join("")).toBe(text);
      expect(parts.flatMap((part) => Array.from(part))).toEqual(Array.from(text));
      expect(drain(changeInSteps(text, (part) => part.toUpperCase()))).toBe(text.toUpperCase());
    }),
  );
});

test.each([
  ["byte-level", createTokenizer(byteVocabulary(["a a", "aa aa"]))],
  ["SentencePiece", createTokenizer(pieceVocabulary([["a", 0] as const, ["aa", -1] as const]))],
])("a long word of a %s vocabulary has many steps, and other work its turns", async (_, tokenizer) => {
  const timers = vi.spyOn(globalThis, "setTimeout");
  await tokenizer.encodeAsync("a".repeat(100_000), { sliceMs: 0 });
  // Parts of 4096 letters, pairs in lists of 8192, and joins.
  expect(timers.mock.calls.length).toBeGreaterThan(100_000 / 4096 + 2 * Math.floor(100_000 / 8192));
});

test("ids are decoded in steps", async () => {
  const tokenizer = createTokenizer(byteVocabulary(["a a"]));
  const ids = tokenizer.encode("aab ".repeat(10_000), { addSpecial: false });
  const timers = vi.spyOn(globalThis, "setTimeout");
  expect(await tokenizer.decodeAsync(ids, { sliceMs: 0 })).toBe(tokenizer.decode(ids));
  expect(timers.mock.calls.length).toBeGreaterThanOrEqual(Math.floor(ids.length / 4096));
});

test("embedding stops at the first text that is too long", async () => {
  const tokenizer = createTokenizer(byteVocabulary(["a a"]));
  const seen: string[] = [];
  const counting: Tokenizer = {
    ...tokenizer,
    encodeAsync: (text, options) => {
      seen.push(text);
      return tokenizer.encodeAsync(text, options);
    },
  };
  const options = { prefix: "", pooling: "mean", signal: undefined } as const;
  const limits = { contextLength: 3, appendsEos: false, truncates: false };
  const texts = ["a", "abababab", "b", "ab"];
  await expect(embeddedIds(counting, texts, options, limits)).rejects.toMatchObject({
    code: "CONTEXT_FULL",
    details: { index: 1 },
  });
  expect(seen).toEqual(["a", "abababab"]);
});
