import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { embeddedIds } from "#dist/language-model/embedded-ids.js";
import {
  changeInSteps,
  drain,
  inSlices,
  nextTurn,
  partsOf,
  shareTurn,
  type Steps,
} from "#dist/text/slices.js";
import { createTokenizer, type Tokenizer } from "#dist/text/tokenizer.js";
import { byteVocabulary, pieceVocabulary } from "../support/small-vocabularies.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A loop of events with a clock: work takes stubbed milliseconds, and tasks wait for `turn`. */
function stubLoop(): {
  work: (ms: number) => void;
  turn: () => Promise<void>;
  queue: (task: () => void) => void;
} {
  let nowMs = 0;
  let tasks: (() => void)[] = [];
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  vi.spyOn(globalThis, "setImmediate").mockImplementation(((task: () => void) =>
    tasks.push(task)) as unknown as typeof setImmediate);
  async function settled(): Promise<void> {
    for (let tick = 0; tick < 30; tick += 1) await Promise.resolve();
  }
  return {
    work: (ms) => void (nowMs += ms),
    queue: (task) => void tasks.push(task),
    async turn(): Promise<void> {
      const due = tasks;
      tasks = [];
      for (const task of due) {
        task();
        await settled();
      }
      await settled();
    },
  };
}

test("a slice ends with the first step that passes its time", async () => {
  const { work, turn } = stubLoop();
  let turns = 0;
  const turnsBefore: number[] = [];
  function* steps(): Steps<string> {
    for (let step = 0; step < 7; step += 1) {
      turnsBefore.push(turns);
      work(4);
      yield;
    }
    return "done";
  }
  const result: { value?: string } = {};
  void inSlices(steps(), { sliceMs: 10 }).then((value) => (result.value = value));
  for (; result.value === undefined; turns += 1) await turn();
  expect(result.value).toBe("done");
  expect(turnsBefore).toEqual([0, 0, 0, 1, 1, 1, 2]);
});

test("all work of a turn shares its time, however many callers there are", async () => {
  const { work, turn, queue } = stubLoop();
  const callers = 32;
  let [open, workedMs, longestMs] = [callers, 0, 0];
  function* steps(): Steps<void> {
    for (let step = 0; step < 6; step += 1) {
      work(1);
      workedMs += 1;
      yield;
    }
  }
  /** Another event, such as a request for the server's health. */
  const other = (): void => {
    longestMs = Math.max(longestMs, workedMs);
    workedMs = 0;
    if (open > 0) queue(other);
  };
  queue(other);
  // All begin in one turn, as requests that arrive together.
  for (let caller = 0; caller < callers; caller += 1) {
    void inSlices(steps()).then(async () => {
      await shareTurn();
      work(1);
      workedMs += 1;
      open -= 1;
    });
  }
  for (let turns = 0; open > 0; turns += 1) {
    expect(turns).toBeLessThan(1000);
    await turn();
  }
  await turn();
  // A slice of short work and one of long work.
  expect(longestMs).toBeLessThanOrEqual(10);
  expect(longestMs).toBeGreaterThanOrEqual(5);
});

test("short work shares a turn until its time is spent", async () => {
  const { work, turn } = stubLoop();
  let done = 0;
  for (let caller = 0; caller < 12; caller += 1) {
    void shareTurn().then(() => {
      work(1);
      done += 1;
    });
  }
  const counts: number[] = [];
  for (let turns = 0; turns < 12 && done < 12; turns += 1) {
    await turn();
    counts.push(done);
  }
  expect(counts).toEqual([5, 10, 12]);
});

test("short work does not wait for all long work", async () => {
  const { work, turn } = stubLoop();
  function* steps(count: number): Steps<void> {
    for (let step = 0; step < count; step += 1) {
      work(1);
      yield;
    }
  }
  const callers = 8;
  let longDone = 0;
  for (let caller = 0; caller < callers; caller += 1) void inSlices(steps(60)).then(() => (longDone += 1));
  for (let turns = 0; turns < callers + 2; turns += 1) await turn();
  let isShortDone = false;
  void inSlices(steps(3)).then(() => (isShortDone = true));
  for (let turns = 0; turns < 3; turns += 1) await turn();
  expect([isShortDone, longDone]).toEqual([true, 0]);
  // Work that never ends would hold later tests.
  for (let turns = 0; longDone < callers && turns < 200; turns += 1) await turn();
  expect(longDone).toBe(callers);
});

test("each turn of the event loop goes to one caller, first come, first served", async () => {
  const { turn } = stubLoop();
  const served: number[] = [];
  for (const caller of [0, 1, 2, 3]) void nextTurn().then(() => served.push(caller));
  for (const callers of [[], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]) {
    await turn();
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
  const tasks = vi.spyOn(globalThis, "setImmediate");
  await tokenizer.encodeAsync("a".repeat(100_000), { sliceMs: 0 });
  // Parts of 4096 letters, pairs in lists of 8192, and joins.
  expect(tasks.mock.calls.length).toBeGreaterThan(100_000 / 4096 + 2 * Math.floor(100_000 / 8192));
});

test("ids are decoded in steps", async () => {
  const tokenizer = createTokenizer(byteVocabulary(["a a"]));
  const ids = tokenizer.encode("aab ".repeat(10_000), { addSpecial: false });
  const tasks = vi.spyOn(globalThis, "setImmediate");
  expect(await tokenizer.decodeAsync(ids, { sliceMs: 0 })).toBe(tokenizer.decode(ids));
  expect(tasks.mock.calls.length).toBeGreaterThanOrEqual(Math.floor(ids.length / 4096));
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
