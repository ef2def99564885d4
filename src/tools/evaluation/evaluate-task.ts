import { BitNetError, throwIfAborted } from "../../errors.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { internalsOf } from "../../language-model/internals.js";
import { checkWhole } from "../../options/checks.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { askQuestion, type QuestionOutcome } from "./ask-question.js";
import { type MetricName, type MetricResult, summarize } from "./metrics.js";
import { createPromptSession } from "./prompt-session.js";
import type { EvaluationTask, Question } from "./question.js";

export interface EvaluateTaskOptions {
  /** Ask only this many questions, from 1. Default: all. */
  readonly limit?: number | undefined;
  /** Number of solved examples before each question. Default 0. */
  readonly shots?: number | undefined;
  /** Source of the examples, in its order. Default: the task itself, without the current question. */
  readonly examples?: EvaluationTask | undefined;
  /** Maximum tokens of a written answer, from 1. Default 256. */
  readonly maxTokens?: number | undefined;
  /** False omits BOS before prompts. Default true: if the model wants it. */
  readonly addBos?: boolean | undefined;
  /** Called after every question with the result so far and the question's outcome. */
  readonly onProgress?: ((soFar: TaskResult, outcome: QuestionOutcome) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof EvaluateTaskOptions, true> = {
  limit: true,
  shots: true,
  examples: true,
  maxTokens: true,
  addBos: true,
  onProgress: true,
  signal: true,
};

/** The result of a benchmark, or the part of it so far. */
export interface TaskResult {
  readonly task: string;
  /** Questions asked so far. At the end, all. */
  readonly items: number;
  /** Questions to ask. */
  readonly total: number;
  readonly shots: number;
  readonly metrics: readonly MetricResult[];
  /** Questions whose prompt was longer than the model's context and lost its beginning. */
  readonly truncated: number;
}

/**
 * Asks a model the questions of a benchmark and counts right answers, by the definitions of
 * lm-evaluation-harness (docs/guide/evaluation.md). The model's choice is the likeliest continuation of the
 * prompt. A written answer is extracted from the model's greedy text.
 *
 * @param task from `readTask`, or built by hand
 * @example
 * const result = await evaluateTask(model, readTask(text), { limit: 100 });
 * @throws BitNetError INVALID_ARGUMENT for options out of range, too few examples, and invalid questions; the
 *   errors of evaluation; rejects with `signal.reason`.
 */
export async function evaluateTask(
  model: LanguageModel,
  task: EvaluationTask,
  options: EvaluateTaskOptions = {},
): Promise<TaskResult> {
  refuseUnknownOptions("evaluateTask", options, Object.keys(knownOptions));
  const { signal, shots = 0, maxTokens = 256, addBos = true, onProgress } = options;
  checkWhole("shots", shots, 0, 1000);
  checkWhole("maxTokens", maxTokens, 1, 1 << 20);
  if (options.limit !== undefined) checkWhole("limit", options.limit, 1);
  throwIfAborted(signal);
  const questions = task.questions.slice(0, options.limit);
  if (questions.length === 0) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot evaluate ${task.name}: it has no questions`);
  }

  const introduce = createIntroductions((options.examples ?? task).questions, shots);
  // Too few examples are reported now, not after hours.
  for (const question of questions) introduce(question);
  const rights = new Map<MetricName, number>(task.metrics.map((metric) => [metric, 0]));
  let truncated = 0;
  let items = 0;
  const result = (): TaskResult => ({
    task: task.name,
    items,
    total: questions.length,
    shots,
    metrics: task.metrics.map((metric) => summarize(metric, rights.get(metric) ?? 0, items)),
    truncated,
  });

  using prompts = createPromptSession(model);
  const { tokenizer } = internalsOf(model);
  const asking = { tokenizer, contextLength: model.info.contextLength, prompts, maxTokens, addBos, signal };
  for (const question of questions) {
    const introduction = introduce(question);
    const outcome = await askQuestion(question, task.metrics, { ...asking, introduction });
    for (const [metric, right] of outcome.right) if (right) rights.set(metric, (rights.get(metric) ?? 0) + 1);
    if (outcome.truncated) truncated += 1;
    items += 1;
    onProgress?.(result(), outcome);
  }
  return result();
}

/**
 * @returns the text before a question; examples are the first ones of its group, without the question itself
 */
function createIntroductions(examples: readonly Question[], shots: number): (question: Question) => string {
  const groups = new Map<string | undefined, Question[]>();
  for (const example of shots > 0 ? examples : []) {
    const group = groups.get(example.group);
    if (group === undefined) groups.set(example.group, [example]);
    else group.push(example);
  }
  return (question) => {
    const chosen: string[] = [];
    for (const { solved } of groups.get(question.group) ?? []) {
      if (chosen.length === shots) break;
      if (solved !== question.solved) chosen.push(`${solved}\n\n`);
    }
    if (chosen.length < shots) {
      const others = question.group === undefined ? "there are" : `"${question.group}" has`;
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Invalid shots: ${shots} (${others} only ${chosen.length} examples besides the question itself; ask for fewer, or give a file of examples)`,
        { details: { option: "shots", value: shots } },
      );
    }
    return (question.preamble ?? "") + chosen.join("");
  };
}
