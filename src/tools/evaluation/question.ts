import type { MetricName } from "./metrics.js";

/** What one line of a benchmark asks, ready to be put to a model. */
export type Question = ChoiceQuestion | WrittenQuestion;

interface Posed {
  /** The question with its right answer after it, as it stands in the prompt of another as an example. */
  readonly solved: string;
  /** Examples come from the same group: MMLU's subjects. */
  readonly group?: string | undefined;
  /** What stands before the examples. */
  readonly preamble?: string | undefined;
  /** Where it was read, for messages. */
  readonly line?: number | undefined;
}

/** Which of several continuations is the likeliest. */
export interface ChoiceQuestion extends Posed {
  readonly kind: "choice";
  readonly choices: readonly Choice[];
  /** Index of the right one. */
  readonly answer: number;
}

/** What is scored is `continuation`, after `context`. */
export interface Choice {
  readonly context: string;
  readonly continuation: string;
  /** The choice itself, whose length evens out that long texts are less likely than short ones. */
  readonly text: string;
}

/** What the model writes when it is asked. */
export interface WrittenQuestion extends Posed {
  readonly kind: "written";
  readonly prompt: string;
  /** The answer ends before any of these. */
  readonly stop: readonly string[];
  /** The whole right answer. */
  readonly answer: string;
}

/** A benchmark's questions. `readTask` makes one of a published file; others may be put together by hand. */
export interface EvaluationTask {
  readonly name: string;
  /** What is reported, in this order. */
  readonly metrics: readonly MetricName[];
  readonly questions: readonly Question[];
}

/** A question whose choices all continue one context, a space between them. */
export function poseChoices(context: string, texts: readonly string[], answer: number): ChoiceQuestion {
  return {
    kind: "choice",
    choices: texts.map((text) => ({ context, continuation: ` ${text}`, text })),
    answer,
    solved: `${context} ${texts[answer] ?? ""}`,
  };
}
