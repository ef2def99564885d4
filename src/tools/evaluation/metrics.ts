import { flexibleAnswer, sameAnswer, strictAnswer } from "./written-answer.js";

/** A metric, by its name in lm-evaluation-harness. */
export type MetricName = ChoiceMetricName | WrittenMetricName;
/**
 * Metrics of choice questions: highest log-likelihood, per character ("acc_norm") or per byte ("acc_bytes").
 */
export type ChoiceMetricName = "acc" | "acc_norm" | "acc_bytes";
/** Metrics of written answers, which are filters of lm-evaluation-harness. */
export type WrittenMetricName = "strict_match" | "flexible_extract";

/** ln p of each choice's continuation, with the choices' texts. */
export interface ScoredChoice {
  readonly text: string;
  readonly logLikelihood: number;
}

const utf8 = new TextEncoder();

/** Each metric's score of a choice. The model's choice has the greatest score. */
export const choiceMetrics: Readonly<Record<ChoiceMetricName, (choice: ScoredChoice) => number>> = {
  acc: ({ logLikelihood }) => logLikelihood,
  // The harness says "byte-length normalized" and divides by len(str): Python's characters, which are code
  // points.
  acc_norm: ({ logLikelihood, text }) => perUnit(logLikelihood, Array.from(text).length),
  acc_bytes: ({ logLikelihood, text }) => perUnit(logLikelihood, utf8.encode(text).length),
};

/** Whether a written answer is right. */
export const writtenMetrics: Readonly<
  Record<WrittenMetricName, (written: string, answer: string) => boolean>
> = {
  strict_match: (written, answer) => sameAnswer(strictAnswer(written), answer),
  flexible_extract: (written, answer) => sameAnswer(flexibleAnswer(written), answer),
};

export function isChoiceMetric(name: MetricName): name is ChoiceMetricName {
  return Object.hasOwn(choiceMetrics, name);
}

export function isWrittenMetric(name: MetricName): name is WrittenMetricName {
  return Object.hasOwn(writtenMetrics, name);
}

/** Index of the choice with the greatest score; of equal ones the first. */
export function preferredChoice(metric: ChoiceMetricName, choices: readonly ScoredChoice[]): number {
  const values = choices.map(choiceMetrics[metric]);
  return values.reduce((best, value, index) => (value > (values[best] ?? -Infinity) ? index : best), 0);
}

/** An empty choice has no length to divide by, so it is never preferred. */
function perUnit(logLikelihood: number, length: number): number {
  return length === 0 ? -Infinity : logLikelihood / length;
}

/** The value of a metric over the questions asked. */
export interface MetricResult {
  /** Name of the metric. */
  readonly name: MetricName;
  /** Share of right answers, 0 to 1. */
  readonly value: number;
  /** One standard error of `value`. Undefined for a single question. */
  readonly stderr: number | undefined;
}

/** Mean and standard error of ones and zeros: the sample's standard deviation over √count. */
export function summarize(name: MetricName, right: number, count: number): MetricResult {
  const value = right / count;
  return {
    name,
    value,
    stderr: count > 1 ? Math.sqrt((value * (1 - value)) / (count - 1)) : undefined,
  };
}
