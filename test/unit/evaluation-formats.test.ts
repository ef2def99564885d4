import { describe, expect, it } from "vitest";
import { type ChoiceQuestion, type Question, readTask, type ReadTaskOptions } from "#dist/index.js";
import { taskFormats } from "#dist/tools/evaluation/formats/index.js";

// Lines in the published forms, in our own words. The expected results come by hand from the definitions of
// lm-evaluation-harness's tasks (docs/guide/evaluation.md).

/** One question of each benchmark in its published form. */
const published = {
  arc: {
    id: "Demo_1",
    question: "Which of these does a trout breathe with?",
    choices: { text: ["gills", "wings", "roots"], label: ["A", "B", "C"] },
    answerKey: "A",
  },
  winogrande: {
    qID: "demo-1",
    sentence: "The jug did not fit on the shelf because the _ was too low .",
    option1: "jug",
    option2: "shelf",
    answer: "2",
  },
  boolq: {
    question: "do owls sleep by day",
    title: "Owl",
    answer: true,
    passage: "Most owls hunt at night and rest in trees while it is light.",
  },
  hellaswag: {
    ind: 7,
    activity_label: "Baking bread",
    ctx_a: "A woman kneads dough [header] on a table.",
    ctx_b: "the Dough [substeps]",
    endings: ["rises  slowly.", " flies away [title] Step two", "sings.", "is a shoe."],
    source_id: "demo~1",
    split: "val",
    label: "0",
  },
  piqa: { goal: "Keep a door open", sol1: "put a wedge under it", sol2: "paint it", label: 0 },
  mmlu: {
    question: "  What is two times three? ",
    subject: "elementary_arithmetic",
    choices: ["four", "five", "six", "seven"],
    answer: 2,
  },
  gsm8k: {
    question: "Ida has 12 nuts and eats 4. How many are left?",
    answer: "12 - 4 = <<12-4=8>>8 nuts are left.\n#### 8",
  },
} as const;

function read(record: object, options?: ReadTaskOptions): Question {
  const [question] = readTask(JSON.stringify(record), options).questions;
  if (question === undefined) throw new Error("no question");
  return question;
}

function readChoices(record: object, options?: ReadTaskOptions): ChoiceQuestion {
  const question = read(record, options);
  if (question.kind !== "choice") throw new Error("no choices");
  return question;
}

function corrupt(message: string | RegExp) {
  return expect.objectContaining({
    name: "BitNetError",
    code: "FILE_CORRUPT",
    message: typeof message === "string" ? expect.stringContaining(message) : expect.stringMatching(message),
  });
}

function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

it("every format has a published line here, is recognized by its fields, and by its name", () => {
  expect(taskFormats.map(({ name }) => name)).toEqual(Object.keys(published));
  for (const [name, record] of Object.entries(published)) {
    const recognized = readTask(JSON.stringify(record));
    expect(recognized.name).toBe(name);
    expect(readTask(JSON.stringify(record), { task: name })).toEqual(recognized);
    expect(recognized.questions).toHaveLength(1);
  }
});

describe("ARC", () => {
  const expected = {
    kind: "choice",
    choices: ["gills", "wings", "roots"].map((text) => ({
      context: "Question: Which of these does a trout breathe with?\nAnswer:",
      continuation: ` ${text}`,
      text,
    })),
    answer: 0,
    solved: "Question: Which of these does a trout breathe with?\nAnswer: gills",
    line: 1,
  };

  it("asks for each choice after the question", () => {
    expect(read(published.arc)).toEqual(expected);
    expect(readTask(JSON.stringify(published.arc)).metrics).toEqual(["acc", "acc_norm", "acc_bytes"]);
  });

  it("reads AI2's own nested form, and labels that are digits", () => {
    const stem = published.arc.question;
    const choices = published.arc.choices.text.map((text, i) => ({ text, label: String(i + 1) }));
    const nested = { id: "Demo_1", question: { stem, choices }, answerKey: "2" };
    expect(read(nested)).toEqual({
      ...expected,
      answer: 1,
      solved: expected.solved.replace("gills", "wings"),
    });
  });

  it.each<[string, object, string | RegExp]>([
    [
      "an answer that is no choice",
      { answerKey: "E" },
      'field "answerKey" is "E", expected one of "A", "B", "C"',
    ],
    ["no answer", { answerKey: null }, 'field "answerKey" is missing'],
    ["no choices", { choices: undefined }, 'field "choices" is missing; a line of ARC has question, choices'],
    ["one choice", { choices: { text: ["x"], label: ["A"] } }, '"choices.text" is a list of 1'],
    ["fewer labels", { choices: { text: ["x", "y", "z"], label: ["A", "B"] } }, "3 choices and 2 labels"],
    [
      "choices that are no texts",
      { choices: { text: [1, 2], label: ["A", "B"] } },
      "a list of at least 2 texts",
    ],
    ["a question that is a number", { question: 5 }, 'field "question" is 5, expected an object'],
    [
      "a nested question without a stem",
      {
        question: {
          choices: [
            { text: "a", label: "A" },
            { text: "b", label: "B" },
          ],
        },
      },
      '"question.stem" is missing',
    ],
    [
      "a nested choice without a label",
      { question: { stem: "s", choices: [{ text: "a" }, { text: "b" }] } },
      '"question.choices[0].label" is missing',
    ],
    [
      "nested choices that are texts",
      { question: { stem: "s", choices: ["a", "b"] } },
      '"question.choices" is a list of 2, expected a list of objects',
    ],
    [
      "a single nested choice",
      { question: { stem: "s", choices: [{ text: "a", label: "A" }] } },
      "1 choices, expected at least 2",
    ],
  ])("refuses %s", (_, change, message) => {
    const record = { ...published.arc, ...change };
    expect(errorOf(() => read(record, { task: "arc" }))).toEqual(corrupt(message));
  });
});

describe("WinoGrande", () => {
  it("asks for the rest of the sentence after each option", () => {
    const before = "The jug did not fit on the shelf because the ";
    expect(read(published.winogrande)).toEqual({
      kind: "choice",
      choices: ["jug", "shelf"].map((option) => ({
        context: before + option,
        continuation: " was too low .",
        text: before + option,
      })),
      answer: 1,
      solved: `${before}shelf was too low .`,
      line: 1,
    });
    expect(readTask(JSON.stringify(published.winogrande)).metrics).toEqual(["acc"]);
  });

  it("accepts numeric answers, and uses the first blank", () => {
    const record = { ...published.winogrande, sentence: "_ saw a _ there.", answer: 1 };
    expect(readChoices(record)).toMatchObject({
      answer: 0,
      choices: [
        { context: "jug", continuation: " saw a _ there." },
        { context: "shelf", continuation: " saw a _ there." },
      ],
    });
  });

  it.each<[string, object, string]>([
    ["no blank", { sentence: "No blank here." }, 'no blank "_"'],
    ["an answer of the hidden test set", { answer: "" }, '"answer" is "", expected one of "1", "2"'],
    ["a third answer", { answer: "3" }, '"answer" is "3"'],
    ["no second option", { option2: undefined }, '"option2" is missing'],
  ])("refuses %s", (_, change, message) => {
    expect(errorOf(() => read({ ...published.winogrande, ...change }, { task: "winogrande" }))).toEqual(
      corrupt(message),
    );
  });
});

describe("BoolQ", () => {
  const context = `${published.boolq.passage}\nQuestion: do owls sleep by day?\nAnswer:`;

  it("asks for no and yes after passage and question", () => {
    expect(read(published.boolq)).toEqual({
      kind: "choice",
      choices: [
        { context, continuation: " no", text: "no" },
        { context, continuation: " yes", text: "yes" },
      ],
      answer: 1,
      solved: `${context} yes`,
      line: 1,
    });
  });

  it.each([
    [{ answer: false }, 0],
    [{ answer: undefined, label: 1 }, 1],
    [{ answer: undefined, label: 0 }, 0],
    [{ answer: undefined, label: true }, 1],
  ])("reads %j as choice %i", (change, answer) => {
    expect(read({ ...published.boolq, ...change })).toMatchObject({ answer });
  });

  it("refuses a label that is neither", () => {
    const record = { ...published.boolq, answer: undefined, label: -1 };
    expect(errorOf(() => read(record))).toEqual(corrupt('"label" is -1, expected one of false, true, 0, 1'));
  });
});

describe("HellaSwag", () => {
  it("cleans texts as the harness does: marks in brackets go, the second part gets a capital and small letters", () => {
    // Blanks are stripped before brackets, so a blank that brackets leave at the end stays. Two blanks become
    // one.
    const context = "Baking bread: A woman kneads dough on a table. The dough ";
    expect(readChoices(published.hellaswag)).toMatchObject({
      answer: 0,
      choices: ["rises slowly.", "flies away. Step two", "sings.", "is a shoe."].map((text) => ({
        context,
        continuation: ` ${text}`,
        text,
      })),
      solved: `${context} rises slowly.`,
    });
  });

  it.each([
    ["[a] b [c", " b [c"],
    ["x ] y [z] [", "x ] y ["],
    ["[a\n] b", "[a\n] b"],
    ["a    b", "a  b"],
    ["\u00a0 a\u2003", "a"],
    ["a \ufeff", "a \ufeff"],
    ["How to [title] go [step] on", "How to. go on"],
  ])("makes %j into %j", (given, cleaned) => {
    const question = readChoices({ ...published.hellaswag, endings: [given, "other"] });
    expect(question.choices[0]?.text).toBe(cleaned);
  });

  it("reads labels that are numbers, and refuses those of the hidden test set", () => {
    expect(read({ ...published.hellaswag, label: 3 })).toMatchObject({ answer: 3 });
    expect(errorOf(() => read({ ...published.hellaswag, label: "" }))).toEqual(corrupt('"label" is ""'));
    expect(errorOf(() => read({ ...published.hellaswag, label: 4 }))).toEqual(corrupt('"label" is 4'));
  });
});

describe("PIQA", () => {
  it("asks for each solution after the goal", () => {
    const context = "Question: Keep a door open\nAnswer:";
    expect(readChoices(published.piqa)).toMatchObject({
      choices: [
        { context, continuation: " put a wedge under it" },
        { context, continuation: " paint it" },
      ],
      answer: 0,
    });
  });

  it("takes answers from a file of labels, one to a line", () => {
    const { goal, sol1, sol2 } = published.piqa;
    const text = [0, 1, 2].map((i) => JSON.stringify({ goal: `${goal} ${i}`, sol1, sol2 })).join("\n");
    expect(errorOf(() => readTask(text))).toEqual(corrupt('line 1: the field "label" is missing'));
    const { questions } = readTask(text, { labels: "1\n0\r\n1\n" });
    expect(questions.map(({ answer }) => answer)).toEqual([1, 0, 1]);
    expect(errorOf(() => readTask(text, { labels: "1\n0\n" }))).toEqual(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("2 labels for 3 questions"),
      }),
    );
    expect(errorOf(() => readTask(text, { labels: "1\nx\n0" }))).toEqual(
      corrupt('line 2: the field "label" is "x"'),
    );
  });

  it("and WinoGrande are the only tasks with labels in another file", () => {
    const { answer, ...record } = published.winogrande;
    expect(read(record, { labels: answer })).toEqual(read(published.winogrande));
    expect(errorOf(() => read(published.arc, { labels: "A" }))).toEqual(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("ARC") }),
    );
  });
});

describe("MMLU", () => {
  it("lists the choices and asks for a letter, in the name of the subject", () => {
    const context = "What is two times three?\nA. four\nB. five\nC. six\nD. seven\nAnswer:";
    expect(read(published.mmlu)).toEqual({
      kind: "choice",
      choices: ["A", "B", "C", "D"].map((text) => ({ context, continuation: ` ${text}`, text })),
      answer: 2,
      solved: `${context} C`,
      group: "elementary_arithmetic",
      preamble: "The following are multiple choice questions (with answers) about elementary arithmetic.\n\n",
      line: 1,
    });
  });

  it("needs no subject, and takes letters and digits for answers", () => {
    const record = { ...published.mmlu, subject: undefined };
    for (const answer of [1, "1", "B"]) {
      expect(read({ ...record, answer })).toMatchObject({ answer: 1 });
      expect(read({ ...record, answer })).not.toHaveProperty("preamble");
    }
  });

  it.each([
    [{ choices: ["a", "b", "c"] }, "list of 3, expected a list of at least 4 texts"],
    [{ choices: ["a", "b", "c", "d", "e"] }, "5 choices, expected 4"],
    [{ answer: 4 }, '"answer" is 4'],
  ])("refuses %j", (change, message) => {
    expect(errorOf(() => read({ ...published.mmlu, ...change }))).toEqual(corrupt(message));
  });
});

describe("GSM8K", () => {
  it("has the answer written", () => {
    const prompt = "Question: Ida has 12 nuts and eats 4. How many are left?\nAnswer:";
    expect(read(published.gsm8k)).toEqual({
      kind: "written",
      prompt,
      answer: published.gsm8k.answer,
      stop: ["Question:", "</s>", "<|im_end|>"],
      solved: `${prompt} ${published.gsm8k.answer}`,
      line: 1,
    });
    expect(readTask(JSON.stringify(published.gsm8k)).metrics).toEqual(["strict_match", "flexible_extract"]);
  });

  it("refuses an answer without its number", () => {
    const record = { ...published.gsm8k, answer: "eight" };
    expect(errorOf(() => read(record, { task: "gsm8k" }))).toEqual(corrupt('no "#### " with a number'));
  });
});

describe("a file", () => {
  const line = JSON.stringify(published.piqa);

  it("may have empty lines, carriage returns and a byte order mark", () => {
    const { questions } = readTask(`\ufeff${line}\r\n\r\n  \n${line}\n`);
    expect(questions.map((question) => question.line)).toEqual([1, 4]);
  });

  it.each<[string, string, RegExp, number]>([
    ["no lines", "", /^Cannot read the task: it has no lines$/, 0],
    ["nothing but empty lines", "\n \n", /no lines/, 0],
    [
      "a line that is no JSON",
      `${line}\n{"goal":`,
      /line 2: it is not JSON \(syntax error\)/,
      line.length + 1,
    ],
    ["a line that is a list", "[1,2]", /line 1: expected an object, not a list of 2/, 0],
    ["a line that is a number", "7", /line 1: expected an object, not 7/, 0],
    ["a line of nothing known", '{"a":1}', /line 1: its fields belong to no known benchmark \(ARC: /, 0],
    [
      "a line of another benchmark",
      `${line}\n${JSON.stringify(published.arc)}`,
      /line 2: the field "goal" is missing; a line of PIQA has goal/,
      line.length + 1,
    ],
  ])("with %s is refused with line and byte", (_, text, message, offset) => {
    const error = errorOf(() => readTask(text));
    expect(error).toEqual(corrupt(message));
    expect(error).toHaveProperty("details.offset", offset);
  });

  it("counts the offset in bytes and names the file", () => {
    const error = errorOf(() => readTask(`${line.replace("door", "dör")}\nx`, { name: '"dör.jsonl"' }));
    expect(error).toEqual(corrupt('Cannot read "dör.jsonl", line 2'));
    expect(error).toHaveProperty("details", { line: 2, offset: line.length + 1 });
  });

  it("of a task that is not known is an argument's fault", () => {
    expect(errorOf(() => readTask(line, { task: "trivia" }))).toEqual(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining('"trivia" (expected "auto", "arc"'),
      }),
    );
  });
});
