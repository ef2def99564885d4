import type { MetricName } from "./metrics.js";

/** A question of one line of a benchmark, ready to ask. */
export type Question = ChoiceQuestion | WrittenQuestion;

interface Posed {
  /** The question with its right answer, as an example in the prompt of another question. */
  readonly solved: string;
  /** Examples come from the same group: MMLU's subjects. */
  readonly group?: string | undefined;
  /** The text before the examples. */
  readonly preamble?: string | undefined;
  /** Its position in the file, for messages. */
  readonly line?: number | undefined;
}

/** Asks for the likeliest of several continuations. */
export interface ChoiceQuestion extends Posed {
  readonly kind: "choice";
  readonly choices: readonly Choice[];
  /** Index of the right one. */
  readonly answer: number;
}

/** `continuation` is scored, after `context`. */
export interface Choice {
  readonly context: string;
  readonly continuation: string;
  /** The choice's text. Its length compensates that long texts are less likely than short ones. */
  readonly text: string;
}

/** Asks the model to write an answer. */
export interface WrittenQuestion extends Posed {
  readonly kind: "written";
  readonly prompt: string;
  /** The answer ends before any of these. */
  readonly stop: readonly string[];
  /** The whole right answer. */
  readonly answer: string;
}

/** A benchmark's questions. `readTask` reads a published file; others may be built by hand. */
export interface EvaluationTask {
  readonly name: string;
  /** The reported metrics, in this order. */
  readonly metrics: readonly MetricName[];
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
