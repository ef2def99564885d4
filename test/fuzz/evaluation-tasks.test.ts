import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BitNetError, readTask } from "#dist/index.js";
import { taskFormats } from "#dist/tools/evaluation/formats/index.js";

/** Reads a text. The only valid outcomes are questions and a BitNetError with a location. */
function outcome(text: string, task: string): string {
  try {
    const { questions, metrics } = readTask(text, { task });
    expect(metrics.length).toBeGreaterThan(0);
    for (const question of questions) {
      expect(typeof question.solved).toBe("string");
      if (question.kind === "written") continue;
      expect(question.choices.length).toBeGreaterThan(1);
      expect(question.choices[question.answer]).toBeDefined();
    }
    return "questions";
  } catch (error) {
    if (!(error instanceof BitNetError)) throw error;
    expect(error.message.length).toBeLessThan(2000);
    if (error.code === "FILE_CORRUPT") expect(error.details.offset).toEqual(expect.any(Number));
    return error.code;
  }
}

const fields = [
  ...[
    "question",
    "choices",
    "answerKey",
    "text",
    "label",
    "stem",
    "sentence",
    "option1",
    "option2",
    "answer",
  ],
  ...[
    "passage",
    "activity_label",
    "ctx_a",
    "ctx_b",
    "endings",
    "goal",
    "sol1",
    "sol2",
    "subject",
    "__proto__",
  ],
] as const;
const word = fc.oneof(
  fc.constantFrom("", "_", "A", "B", "0", "1", "2", "#### 5", "a [title] b", "[[", "\ud800"),
  fc.string({ unit: "binary", maxLength: 12 }),
);
const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    word,
    fc.integer({ min: -1, max: 5 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(word, { maxLength: 5 }),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...fields), tie("any"), { maxKeys: 5 }),
  ),
})).any;
/** Objects with most fields of some benchmark, often of the right kind. */
const record = fc.oneof(
  fc.record({
    question: fc.oneof(word, value),
    choices: fc.oneof(
      fc.array(word, { minLength: 4, maxLength: 4 }),
      fc.record({ text: fc.array(word, { maxLength: 3 }), label: fc.array(word, { maxLength: 3 }) }),
      value,
    ),
    answerKey: fc.oneof(fc.constantFrom("A", "B"), value),
    answer: fc.oneof(fc.constantFrom(0, 1, "1", "2", true, "#### 7"), value),
  }),
  fc.record({ sentence: word, option1: word, option2: word, answer: fc.constantFrom("1", "2", 3) }),
  fc.record({
    ctx_a: word,
    ctx_b: word,
    activity_label: word,
    endings: fc.array(word, { maxLength: 4 }),
    label: fc.oneof(fc.constantFrom("0", 1), value),
  }),
  fc.record({ goal: word, sol1: word, sol2: word, label: fc.constantFrom(0, 1, "1", 2) }),
  fc.record({ passage: word, question: word, label: fc.constantFrom(0, 1, true, 2) }),
);
const json = fc
  .oneof({ weight: 6, arbitrary: record }, { weight: 2, arbitrary: value })
  .map((one) => JSON.stringify(one));
const damaged = fc.tuple(json, fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, inserted]) => {
  const place = at % (text.length + 1);
  return text.slice(0, place) + inserted + text.slice(place + inserted.length);
});
const task = fc.oneof(
  { weight: 3, arbitrary: fc.constant("auto") },
  { weight: 1, arbitrary: fc.constantFrom(...taskFormats.map(({ name }) => name)) },
);

describe("readTask", () => {
  it("answers any lines with questions or with a coded error", () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 8, arbitrary: json }, { weight: 1, arbitrary: damaged }), {
          maxLength: 2,
        }),
        task,
        (lines, name) => {
          const result = outcome(lines.join("\n"), name);
          outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
        },
      ),
      { numRuns: 5000, seed: 20_261_122 },
    );
    console.log(`fuzzed tasks: ${[...outcomes].map(([code, count]) => `${code} ${count}`).join(", ")}`);
    // Both outcomes must occur. Otherwise the test covers too little.
    expect(outcomes.get("questions") ?? 0).toBeGreaterThan(200);
    expect(outcomes.get("FILE_CORRUPT") ?? 0).toBeGreaterThan(200);
  });

  // Each of these takes minutes if a search restarts at every character.
  it.each(["[", "[\n", " [title", "\u00a0", "_", "#### ", "{", '{"a":', "\\u"])(
    "is not kept long by %j a million times",
    (piece) => {
      const text = piece.repeat(1_000_000);
      const quoted = JSON.stringify(`${text}x`);
      for (const one of [
        `{"activity_label":"","ctx_a":${quoted},"ctx_b":${quoted},"endings":[${quoted},"b"],"label":0}`,
        `{"sentence":${quoted},"option1":"a","option2":"b","answer":"1"}`,
        `{"question":${quoted},"answer":${quoted}}`,
        `{"question":${quoted},"choices":["a","b","c","d"],"answer":0}`,
        text,
      ]) {
        outcome(one, "auto");
      }
    },
  );
});
