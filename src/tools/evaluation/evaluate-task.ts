import { BitNetError, throwIfAborted } from "../../errors.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { internalsOf } from "../../language-model/internals.js";
import { checkWhole } from "../../options/checks.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { askQuestion, type QuestionOutcome } from "./ask-question.js";
import { type MetricName, type MetricResult, summarize } from "./metrics.js";
import { createPromptSession } from "./prompt-session.js";
import type { EvaluationTask, Question } from "./question.js";

/** Options of `evaluateTask`. */
export interface EvaluateTaskOptions {
  /** Maximum number of questions, at least 1. They are asked in the task's order. Default: all. */
  readonly limit?: number | undefined;
  /** Number of solved examples before each question, 0 to 1000. Default: 0. */
  readonly shots?: number | undefined;
  /** The task to take examples from, in its order. Default: the task itself, without the question asked. */
  readonly examples?: EvaluationTask | undefined;
  /** Maximum number of tokens of a written answer, from 1. Default: 256. */
  readonly maxTokens?: number | undefined;
  /** False omits BOS before prompts even if the model wants it. Default: true. */
  readonly addBos?: boolean | undefined;
  /**
   * Control tokens that the task's texts spell become tokens, for templated conversations.
   * BOS is not added to a text that spells it. Default: false.
   */
  readonly parseSpecial?: boolean | undefined;
  /** Called after every question, with the result so far and the question's outcome. */
  readonly onProgress?: ((soFar: TaskResult, outcome: QuestionOutcome) => void) | undefined;
  /** Stops the evaluation. */
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof EvaluateTaskOptions, true> = {
  limit: true,
  shots: true,
  examples: true,
  maxTokens: true,
  addBos: true,
  parseSpecial: true,
  onProgress: true,
  signal: true,
};

/** The result of a benchmark, or the part of it so far. */
export interface TaskResult {
  /** The task's name. */
  readonly task: string;
  /** Number of questions asked so far. */
  readonly items: number;
  /** Number of questions to ask. */
  readonly total: number;
  /** Number of examples before each question. */
  readonly shots: number;
  /** One result per metric of the task, in its order. */
  readonly metrics: readonly MetricResult[];
  /** Number of questions whose prompt was longer than the context and lost its beginning. */
  readonly truncated: number;
}

/**
 * Asks a model the questions of a benchmark and counts right answers, as lm-evaluation-harness does
 * (docs/guide/evaluation.md). The model's choice is the one with the likeliest continuation. Written answers
 * are generated greedily.
 *
 * @param task from `readTask`, or made by hand.
 * @example
 * const result = await evaluateTask(model, readTask(text), { limit: 100 });
 * @throws BitNetError INVALID_ARGUMENT also for too few examples and for questions that cannot be asked;
 *   CONTEXT_FULL, OUT_OF_MEMORY, WORKER_FAILED, DISPOSED. Rejects with `signal.reason`.
 */
export async function evaluateTask(
  model: LanguageModel,
  task: EvaluationTask,
  options: EvaluateTaskOptions = {},
): Promise<TaskResult> {
  refuseUnknownOptions("evaluateTask", options, Object.keys(knownOptions));
  const { signal, shots = 0, maxTokens = 256, addBos = true, parseSpecial = false, onProgress } = options;
  checkWhole("shots", shots, 0, 1000);
  checkWhole("maxTokens", maxTokens, 1, 1 << 20);
  if (options.limit !== undefined) checkWhole("limit", options.limit, 1);
  throwIfAborted(signal);
  const questions = task.questions.slice(0, options.limit);
  if (questions.length === 0) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot evaluate ${task.name}: it has no questions`);
  }

  const introduce = createIntroductions((options.examples ?? task).questions, shots);
  // Finds too few examples now, not after hours.
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
  const { contextLength } = model.info;
  const asking = { tokenizer, contextLength, prompts, maxTokens, addBos, parseSpecial, signal };
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
 * @returns a function that gives the preamble and the examples of a question: the first of its group except
 *   itself.
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
