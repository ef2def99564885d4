import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Choice,
  evaluateTask,
  type EvaluateTaskOptions,
  type EvaluationTask,
  type LanguageModel,
  loadModel,
  type Question,
  type QuestionOutcome,
  readTask,
  type TaskResult,
} from "#dist/index.js";
import { preferredChoice, summarize } from "#dist/tools/evaluation/metrics.js";
import { createPromptSession } from "#dist/tools/evaluation/prompt-session.js";
import { starterPath } from "../support/golden-path.js";
import { slowLogProbabilities, slowLogSoftmax } from "../reference/log-likelihood.js";
import { rewriteModel } from "../support/rewritten-model.js";

const arcLines = [
  ["Where does a fox sleep?", ["in a den", "on a cloud", "in the sea"], "A"],
  ["What did the king wear?", ["a crown", "a river, wide and deep", "noise"], "B"],
  ["Who rode the horse?", ["the knight", "the moon", "no one at all", "bread"], "A"],
  ["What fell from the tree?", ["an apple", "a ship"], "B"],
] as const;
const arcText = arcLines
  .map(([question, text, answerKey]) => {
    const label = text.map((_, i) => "ABCD".charAt(i));
    return JSON.stringify({ question, choices: { text, label }, answerKey });
  })
  .join("\n");
const winograndeText = [
  ["The fox ran from the wolf because the _ was hungry.", "fox", "wolf", "2"],
  ["The girl gave the boy bread, for the _ had none.", "girl", "boy", "2"],
]
  .map(([sentence, option1, option2, answer]) => JSON.stringify({ sentence, option1, option2, answer }))
  .join("\n");
const mmluText = [
  ["Two and two?", "sums", 0],
  ["Three and one?", "sums", 1],
  ["Who sleeps in winter?", "animals", 2],
  ["Who has wings?", "animals", 3],
  ["Five less two?", "sums", 3],
]
  .map(([question, subject, answer]) =>
    JSON.stringify({ question, subject, answer, choices: ["one", "two", "three", "four"] }),
  )
  .join("\n");
const gsmText = [
  ["Tom has 2 pears and buys 3. How many has he?", "2 + 3 = 5.\n#### 5"],
  ["Ida has 9 nuts and eats 4. How many are left?", "9 - 4 = 5.\n#### 5"],
]
  .map(([question, answer]) => JSON.stringify({ question, answer }))
  .join("\n");

function code(value: string) {
  return expect.objectContaining({ name: "BitNetError", code: value });
}

/**
 * Σ ln p of a choice by the definition. White space at the end of the context belongs to the continuation.
 * The tokens of the continuation are the tokens of the whole text after as many tokens as the context has.
 * All of it is evaluated in a new session.
 */
async function slowLogLikelihood(
  model: LanguageModel,
  before: string,
  { context, continuation }: Choice,
): Promise<number> {
  const begin = (before + context).trimEnd();
  const prefix = model.tokenize(begin);
  const ending = model.tokenize(before + context + continuation).slice(prefix.length);
  using session = model.createSession();
  const values = await slowLogProbabilities(session, [...prefix, ...ending]);
  return values.slice(prefix.length - 1).reduce((sum, value) => sum + value, 0);
}

function firstLargest(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

async function outcomesOf(
  model: LanguageModel,
  task: EvaluationTask,
  options: EvaluateTaskOptions = {},
): Promise<{ readonly result: TaskResult; readonly outcomes: readonly QuestionOutcome[] }> {
  const outcomes: QuestionOutcome[] = [];
  const result = await evaluateTask(model, task, {
    ...options,
    onProgress: (soFar, outcome) => {
      outcomes.push(outcome);
      options.onProgress?.(soFar, outcome);
    },
  });
  return { result, outcomes };
}

describe("evaluateTask", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(starterPath, { threads: 2 });
  });
  afterAll(() => model.dispose());

  it.each([
    ["arc", arcText],
    ["winogrande", winograndeText],
    ["mmlu", mmluText],
  ])("chooses in %s what is likeliest by the definition", async (_, text) => {
    const task = readTask(text);
    const { result, outcomes } = await outcomesOf(model, task);
    const rights = { acc: 0, acc_norm: 0, acc_bytes: 0 };
    for (const [index, question] of task.questions.entries()) {
      if (question.kind !== "choice") throw new Error("no choices");
      const outcome = outcomes[index];
      expect(outcome?.question).toBe(question);
      const values: number[] = [];
      for (const choice of question.choices) {
        values.push(await slowLogLikelihood(model, question.preamble ?? "", choice));
      }
      outcome?.logLikelihoods?.forEach((value, i) => expect(value).toBeCloseTo(values[i] ?? NaN, 9));
      const perByte = values.map((value, i) => value / Buffer.byteLength(question.choices[i]?.text ?? ""));
      if (firstLargest(values) === question.answer) rights.acc += 1;
      if (firstLargest(perByte) === question.answer) {
        rights.acc_norm += 1;
        rights.acc_bytes += 1;
      }
    }
    const count = task.questions.length;
    expect(result).toEqual({
      task: task.name,
      items: count,
      total: count,
      shots: 0,
      truncated: 0,
      metrics: task.metrics.map((name) => {
        const value = rights[name as keyof typeof rights] / count;
        return { name, value, stderr: expect.closeTo(Math.sqrt((value * (1 - value)) / (count - 1)), 12) };
      }),
    });
  });

  it("has the same bits with prompts in any order, each in a session of its own, and any threads", async () => {
    const task = readTask(arcText);
    const { outcomes } = await outcomesOf(model, task, { shots: 1 });
    const reversed = { ...task, questions: task.questions.toReversed() };
    const backwards = await outcomesOf(model, reversed, { shots: 1, examples: task });
    await using other = await loadModel(starterPath, { threads: 1, engine: { kernelBuild: "simd128" } });
    for (const [index, { question, logLikelihoods }] of outcomes.entries()) {
      expect(logLikelihoods).toEqual(backwards.outcomes.at(-1 - index)?.logLikelihoods);
      const alone = { ...task, questions: [question] };
      for (const subject of [model, other]) {
        const { outcomes: single } = await outcomesOf(subject, alone, { shots: 1, examples: task });
        expect(single[0]?.logLikelihoods).toEqual(logLikelihoods);
      }
    }
  });

  it("puts solved examples before the question, never the question itself", async () => {
    const task = readTask(arcText);
    const [first, second, third] = task.questions;
    const { result, outcomes } = await outcomesOf(model, task, { shots: 2 });
    expect(result.shots).toBe(2);
    const expectAfter = async (index: number, examples: readonly (Question | undefined)[]): Promise<void> => {
      const before = examples.map((example) => `${example?.solved}\n\n`).join("");
      const question = task.questions[index];
      if (question?.kind !== "choice") throw new Error("no choices");
      for (const [i, choice] of question.choices.entries()) {
        const expected = await slowLogLikelihood(model, before, choice);
        expect(outcomes[index]?.logLikelihoods?.[i]).toBeCloseTo(expected, 9);
      }
    };
    await expectAfter(0, [second, third]);
    await expectAfter(1, [first, third]);
    await expectAfter(3, [first, second]);
  });

  it("takes examples from the question's group, or from another given task", async () => {
    const task = readTask(mmluText);
    const [, , animals] = task.questions;
    const { outcomes } = await outcomesOf(model, task, { shots: 1 });
    const fourth = task.questions[3];
    if (fourth?.kind !== "choice") throw new Error("no choices");
    const before = `${fourth.preamble}${animals?.solved}\n\n`;
    for (const [i, choice] of fourth.choices.entries()) {
      expect(outcomes[3]?.logLikelihoods?.[i]).toBeCloseTo(await slowLogLikelihood(model, before, choice), 9);
    }
    const examples = { ...task, questions: task.questions.slice(3) };
    const { outcomes: others } = await outcomesOf(model, task, { shots: 1, limit: 3, examples });
    expect(others[2]?.logLikelihoods).toEqual(outcomes[2]?.logLikelihoods);
    expect(others[0]?.logLikelihoods).not.toEqual(outcomes[0]?.logLikelihoods);
  });

  it("asks only the first questions up to a limit", async () => {
    const { result, outcomes } = await outcomesOf(model, readTask(arcText), { limit: 2 });
    expect(result).toMatchObject({ items: 2, total: 2 });
    expect(outcomes.map(({ question }) => question.line)).toEqual([1, 2]);
  });

  it("reports after each question what a shorter task would give", async () => {
    const task = readTask(arcText);
    const seen: TaskResult[] = [];
    await evaluateTask(model, task, { onProgress: (soFar) => seen.push(soFar) });
    for (const [index, soFar] of seen.entries()) {
      const shorter = await evaluateTask(model, task, { limit: index + 1 });
      expect(soFar).toEqual({ ...shorter, total: 4 });
    }
  });

  it("cuts the beginning off prompts that are longer than the context", async () => {
    const long = "The fox and the hen. ".repeat(60);
    const choices = ["den", "sea"].map((text) => ({
      context: `${long}Where?`,
      continuation: ` ${text}`,
      text,
    }));
    const question: Question = { kind: "choice", choices, answer: 0, solved: "" };
    const task: EvaluationTask = { name: "long", metrics: ["acc"], questions: [question] };
    const { result, outcomes } = await outcomesOf(model, task);
    expect(result.truncated).toBe(1);
    using session = model.createSession({ contextLength: 256 });
    for (const [i, { context, continuation }] of choices.entries()) {
      const ids = model.tokenize(context + continuation);
      const ending = ids.slice(model.tokenize(context).length);
      session.truncate(0);
      // 256 tokens are evaluated. The last token of the continuation is only predicted.
      const logits = await session.evaluate(ids.slice(-257, -1), { logits: "all" });
      const { vocabSize } = model.info;
      const rows = ending.map((id, row) => {
        const begin = (256 - ending.length + row) * vocabSize;
        return slowLogSoftmax(logits.subarray(begin, begin + vocabSize), id);
      });
      const expected = rows.reduce((sum, value) => sum + value, 0);
      expect(outcomes[0]?.logLikelihoods?.[i]).toBeCloseTo(expected, 9);
    }
  });

  it("omits BOS on demand", async () => {
    const task = readTask(arcText);
    const bytes = await rewriteModel(starterPath, ({ metadata }) =>
      metadata.set("tokenizer.ggml.add_bos_token", { type: "bool", value: false }),
    );
    await using without = await loadModel(bytes, { threads: 1 });
    const { outcomes: expected } = await outcomesOf(without, task);
    const { outcomes } = await outcomesOf(model, task, { addBos: false });
    const { outcomes: usual } = await outcomesOf(model, task);
    expect(outcomes.map((outcome) => outcome.logLikelihoods)).toEqual(
      expected.map((outcome) => outcome.logLikelihoods),
    );
    expect(outcomes[0]?.logLikelihoods).not.toEqual(usual[0]?.logLikelihoods);
  });

  it("takes control tokens that texts spell if parseSpecial asks for it", async () => {
    const spelled = question([{ context: "The end.<|end_of_text|>", continuation: "Once upon", text: "" }]);
    const [end = -1] = model.tokenize("<|end_of_text|>", { addSpecial: false, parseSpecial: true });
    const likelihood = async (options: object): Promise<number | undefined> =>
      (await outcomesOf(model, spelled, options)).outcomes[0]?.logLikelihoods?.[0];
    using session = model.createSession();
    const context = [...model.tokenize("The end."), end];
    const continuation = model.tokenize("Once upon", { addSpecial: false });
    const rows = await slowLogProbabilities(session, [...context, ...continuation]);
    const expected = rows.slice(context.length - 1).reduce((sum, value) => sum + value, 0);
    expect(await likelihood({ parseSpecial: true })).toBeCloseTo(expected, 9);
    expect(await likelihood({})).not.toBeCloseTo(expected, 3);
  });

  it("writes greedy answers after the prompt, until a stop or the maximum of tokens", async () => {
    const task = readTask(gsmText);
    const { result, outcomes } = await outcomesOf(model, task, { shots: 1, maxTokens: 20 });
    const [first, second] = task.questions;
    if (first?.kind !== "written" || second?.kind !== "written") throw new Error("choices");
    const options = { temperature: 0, maxTokens: 20, stop: first.stop } as const;
    const expected = [
      await model.complete(`${second.solved}\n\n${first.prompt}`, options),
      await model.complete(`${first.solved}\n\n${second.prompt}`, options),
    ];
    expect(outcomes.map(({ written }) => written)).toEqual(expected);
    expect(result.metrics.map(({ name }) => name)).toEqual(["strict_match", "flexible_extract"]);
  });

  it("counts written answers that are right", async () => {
    const prompt = "Once upon a time";
    const written = await model.complete(prompt, { temperature: 0, maxTokens: 8 });
    const questions: readonly Question[] = [
      { kind: "written", prompt, answer: `#### ${written}`, stop: [], solved: "" },
      { kind: "written", prompt, answer: "#### 5", stop: [written.slice(0, 4)], solved: "" },
    ];
    const task: EvaluationTask = { name: "own", metrics: ["strict_match"], questions };
    const { outcomes } = await outcomesOf(model, task, { maxTokens: 8 });
    expect(outcomes.map((outcome) => outcome.written)).toEqual([written, ""]);
  });

  it("rejects with the signal's reason: before, between and inside questions", async () => {
    const reason = new Error("enough");
    const task = readTask(arcText);
    await expect(evaluateTask(model, task, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    for (const text of [arcText, gsmText]) {
      const controller = new AbortController();
      let asked = 0;
      const running = evaluateTask(model, readTask(text), {
        maxTokens: 4,
        signal: controller.signal,
        onProgress: () => {
          asked += 1;
          controller.abort(reason);
        },
      });
      await expect(running).rejects.toBe(reason);
      expect(asked).toBe(1);
    }
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 5);
    const running = evaluateTask(model, readTask(gsmText), { maxTokens: 150, signal: controller.signal });
    await expect(running).rejects.toBe(reason);
  });

  const question = (choices: readonly Choice[]): EvaluationTask => ({
    name: "own",
    metrics: ["acc"],
    questions: [{ kind: "choice", choices, answer: 0, solved: "", line: 7 }],
  });

  it.each<[string, () => EvaluationTask, EvaluateTaskOptions, RegExp]>([
    [
      "no questions",
      () => ({ name: "own", metrics: ["acc"], questions: [] }),
      {},
      /own: it has no questions/,
    ],
    ["a limit of 0", () => readTask(arcText), { limit: 0 }, /Invalid limit: 0/],
    ["negative shots", () => readTask(arcText), { shots: -1 }, /Invalid shots: -1/],
    ["half a shot", () => readTask(arcText), { shots: 0.5 }, /Invalid shots: 0.5/],
    [
      "more shots than questions",
      () => readTask(arcText),
      { shots: 4 },
      /Invalid shots: 4 \(there are only 3/,
    ],
    ["more shots than its group has", () => readTask(mmluText), { shots: 2 }, /"animals" has only 1/],
    ["no tokens to write", () => readTask(gsmText), { maxTokens: 0 }, /Invalid maxTokens: 0/],
    [
      "an answer that fills the context",
      () => readTask(gsmText),
      { maxTokens: 256 },
      /line 1: an answer of 256 tokens/,
    ],
    [
      "a continuation without tokens",
      () => question([{ context: "a", continuation: "", text: "" }]),
      {},
      /line 7: a continuation has no tokens/,
    ],
    [
      "a continuation beyond the context",
      () => question([{ context: "a", continuation: " b".repeat(300), text: "" }]),
      {},
      /line 7: a continuation has \d+ tokens and the model's context holds 256/,
    ],
    [
      "an empty context without BOS",
      () => question([{ context: " ", continuation: "b", text: "" }]),
      { addBos: false },
      /line 7: a context is empty/,
    ],
  ])("refuses %s", async (_, task, options, message) => {
    await expect(evaluateTask(model, task(), options)).rejects.toEqual(code("INVALID_ARGUMENT"));
    await expect(evaluateTask(model, task(), options)).rejects.toThrow(message);
  });

  it("scores an empty context after BOS", async () => {
    const { outcomes } = await outcomesOf(model, question([{ context: "", continuation: "Once", text: "" }]));
    const expected = await slowLogLikelihood(model, "", { context: "", continuation: "Once", text: "" });
    expect(outcomes[0]?.logLikelihoods?.[0]).toBeCloseTo(expected, 9);
  });
});

describe("a prompt session", () => {
  it("gives the bits of fresh sessions for any run of prompts, contexts growing and shrinking", async () => {
    await using model = await loadModel(starterPath, { threads: 2 });
    const words = ["the", " king", " fox", ",", " and", " far away"];
    const text = fc
      .array(fc.constantFrom(...words), { minLength: 1, maxLength: 12 })
      .map((parts) => model.tokenize(parts.join("")));
    const ending = fc.array(fc.integer({ min: 0, max: 4087 }), { minLength: 1, maxLength: 3 });
    const likelihoods = fc.record({ context: text, shared: ending, last: ending });
    await fc.assert(
      fc.asyncProperty(fc.array(likelihoods, { minLength: 2, maxLength: 5 }), async (runs) => {
        using together = createPromptSession(model);
        for (const [index, { context, shared, last }] of runs.entries()) {
          const lists = last.map((id) => [...shared, id]);
          using fresh = createPromptSession(model);
          const expected = [];
          for (const list of lists) expected.push(...(await fresh.likelihoods(context, [list], undefined)));
          expect(await together.likelihoods(context, lists, undefined)).toEqual(expected);
          if (index % 2 === 0) {
            const options = { maxTokens: 3, stop: [], signal: undefined };
            using other = createPromptSession(model);
            expect(await together.write(context, options)).toBe(await other.write(context, options));
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it("continues a stopped evaluation", async () => {
    await using model = await loadModel(starterPath, { threads: 1 });
    using prompts = createPromptSession(model);
    const ids = model.tokenize("Once upon a time there was a fox. ".repeat(10));
    const [value] = await prompts.likelihoods(ids, [[5, 6]], undefined);
    const stopped = prompts.likelihoods(ids.slice(0, 50), [[7]], AbortSignal.abort(new Error("stop")));
    await expect(stopped).rejects.toThrow("stop");
    expect(await prompts.likelihoods(ids, [[5, 6]], undefined)).toEqual([value]);
  });
});

describe("preferredChoice", () => {
  const choices = [
    { text: "abcdef", logLikelihood: -6 },
    { text: "ééé", logLikelihood: -5 },
    { text: "a", logLikelihood: -4 },
  ];

  it("takes the likeliest, the likeliest by character, and the likeliest by byte", () => {
    expect(preferredChoice("acc", choices)).toBe(2);
    // By character: −1, −5/3, −4. By byte, with two bytes for é: −1, −5/6, −4.
    expect(preferredChoice("acc_norm", choices)).toBe(0);
    expect(preferredChoice("acc_bytes", choices)).toBe(1);
  });

  it("counts characters as code points, takes the first of equals, and nothing for an empty text", () => {
    const hats = { text: "🎩🎩", logLikelihood: -2 };
    expect(preferredChoice("acc_norm", [{ text: "abc", logLikelihood: -2.5 }, hats])).toBe(0);
    expect(preferredChoice("acc_norm", [hats, { text: "ab", logLikelihood: -2 }])).toBe(0);
    expect(preferredChoice("acc_norm", [{ text: "", logLikelihood: -1 }, hats])).toBe(1);
  });
});

describe("summarize", () => {
  it("is the mean of ones and zeros and the sample's standard error", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 50 }), (rights) => {
        const right = rights.filter(Boolean).length;
        const mean = right / rights.length;
        const squares = rights.reduce((sum, one) => sum + (Number(one) - mean) ** 2, 0);
        const { value, stderr } = summarize("acc", right, rights.length);
        expect(value).toBe(mean);
        if (rights.length === 1) expect(stderr).toBeUndefined();
        else {
          const deviation = Math.sqrt(squares / (rights.length - 1));
          expect(stderr).toBeCloseTo(deviation / Math.sqrt(rights.length), 12);
        }
      }),
    );
  });
});
