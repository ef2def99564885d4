import type { MetricName } from "./metrics.js";

/** One question of a benchmark. */
export type Question = ChoiceQuestion | WrittenQuestion;

/** Fields of every question. */
export interface QuestionBase {
  /** The question followed by its right answer: its text as an example before another question. */
  readonly solved: string;
  /** Examples come from the same group, such as a subject of MMLU. Default: all questions are one group. */
  readonly group?: string | undefined;
  /** Text before the examples. Default: none. */
  readonly preamble?: string | undefined;
  /** Line of the file, for messages. */
  readonly line?: number | undefined;
}

/** A question with choices. The model's answer is the choice with the likeliest continuation. */
export interface ChoiceQuestion extends QuestionBase {
  /** Always "choice". */
  readonly kind: "choice";
  /** The choices, at least one. */
  readonly choices: readonly Choice[];
  /** Index of the right choice. */
  readonly answer: number;
}

/** One choice. `continuation` is scored after `context`. */
export interface Choice {
  /** The prompt. */
  readonly context: string;
  /** The scored text. It usually begins with a space. */
  readonly continuation: string;
  /** The choice itself. Its length normalizes the score for "acc_norm" and "acc_bytes". */
  readonly text: string;
}

/** A question that the model answers in its own words. */
export interface WrittenQuestion extends QuestionBase {
  /** Always "written". */
  readonly kind: "written";
  /** The prompt. */
  readonly prompt: string;
  /** The answer ends before any of these texts. */
  readonly stop: readonly string[];
  /** The right answer. */
  readonly answer: string;
}

/** A benchmark's questions: from `readTask`, or made by hand. */
export interface EvaluationTask {
  /** The benchmark's name, such as "arc". */
  readonly name: string;
  /** Metrics to report, in this order. */
  readonly metrics: readonly MetricName[];
  /** The questions, in order. */
  readonly questions: readonly Question[];
}

/** A question whose choices all continue one context after a space. */
export function poseChoices(context: string, texts: readonly string[], answer: number): ChoiceQuestion {
  return {
    kind: "choice",
    choices: texts.map((text) => ({ context, continuation: ` ${text}`, text })),
    answer,
    solved: `${context} ${texts[answer] ?? ""}`,
  };
}
