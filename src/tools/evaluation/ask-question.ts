import { BitNetError } from "../../errors.js";
import { encodeOpenText } from "../../generation/prompt.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import {
  isChoiceMetric,
  isWrittenMetric,
  type MetricName,
  preferredChoice,
  writtenMetrics,
} from "./metrics.js";
import type { PromptSession } from "./prompt-session.js";
import { stripEnd } from "./python-text.js";
import type { Choice, ChoiceQuestion, Question, WrittenQuestion } from "./question.js";

/** The model's answer to one question. */
export interface QuestionOutcome {
  /** The question asked. */
  readonly question: Question;
  /** Whether the answer is right, by metric. */
  readonly right: ReadonlyMap<MetricName, boolean>;
  /** Σ ln p of each choice's continuation. Undefined for a written answer. */
  readonly logLikelihoods: readonly number[] | undefined;
  /** The written answer. Undefined for choices. */
  readonly written: string | undefined;
  /** Whether the prompt was longer than the context and lost its beginning. */
  readonly truncated: boolean;
}

/** Everything that asking a question needs. */
export interface Asking {
  readonly tokenizer: Tokenizer;
  readonly contextLength: number;
  readonly prompts: PromptSession;
  /** Maximum tokens of a written answer. */
  readonly maxTokens: number;
  /** Whether prompts begin with BOS if the model wants it. */
  readonly addBos: boolean;
  /** Whether control tokens that the texts spell become tokens. */
  readonly parseSpecial: boolean;
  readonly signal: AbortSignal | undefined;
  /** The text before the question: preamble and examples. */
  readonly introduction: string;
}

/** Asks one question and judges the answer by the `metrics` for its kind. */
export function askQuestion(
  question: Question,
  metrics: readonly MetricName[],
  asking: Asking,
): Promise<QuestionOutcome> {
  return question.kind === "choice"
    ? askChoices(question, metrics, asking)
    : askForText(question, metrics, asking);
}

async function askChoices(
  question: ChoiceQuestion,
  metrics: readonly MetricName[],
  asking: Asking,
): Promise<QuestionOutcome> {
  const requests = question.choices.map((choice) => encodeChoice(choice, question, asking));
  const logLikelihoods = requests.map(() => 0);
  for (const indices of groupRequests(requests)) {
    const context = requests[indices[0] ?? 0]?.context ?? [];
    const continuations = indices.map((index) => requests[index]?.continuation ?? []);
    const sums = await asking.prompts.likelihoods(context, continuations, asking.signal);
    indices.forEach((index, i) => (logLikelihoods[index] = sums[i] ?? 0));
  }
  const scored = question.choices.map(({ text }, i) => ({ text, logLikelihood: logLikelihoods[i] ?? 0 }));
  const right = metrics
    .filter(isChoiceMetric)
    .map((metric) => [metric, preferredChoice(metric, scored) === question.answer] as const);
  return {
    question,
    right: new Map(right),
    logLikelihoods,
    written: undefined,
    truncated: requests.some(({ truncated }) => truncated),
  };
}

async function askForText(
  question: WrittenQuestion,
  metrics: readonly MetricName[],
  asking: Asking,
): Promise<QuestionOutcome> {
  const { contextLength, maxTokens, prompts, signal } = asking;
  const prompt = encode(asking.introduction + question.prompt, asking);
  // The harness keeps room for the whole answer, and cuts the prompt's beginning.
  const room = contextLength - maxTokens;
  if (room < 1) {
    throw cannotAsk(
      question,
      `an answer of ${maxTokens} tokens leaves no room for a prompt in a context of ${contextLength}; choose fewer`,
    );
  }
  if (prompt.length === 0) throw cannotAsk(question, "the prompt is empty and the model has no BOS token");
  const written = await prompts.write(prompt.slice(-room), { maxTokens, stop: question.stop, signal });
  const right = metrics
    .filter(isWrittenMetric)
    .map((metric) => [metric, writtenMetrics[metric](written, question.answer)] as const);
  return {
    question,
    right: new Map(right),
    logLikelihoods: undefined,
    written,
    truncated: prompt.length > room,
  };
}

function encode(text: string, { tokenizer, addBos, parseSpecial }: Asking): number[] {
  return encodeOpenText(tokenizer, text, { addSpecial: addBos, parseSpecial });
}

interface Request {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
  readonly truncated: boolean;
}

/**
 * Tokens of a choice, split like the harness does. White space at the context's end moves to the
 * continuation. Both are encoded as one text, and the part after the encoded context is the continuation. So
 * a word keeps its tokens. A prompt that is too long loses its beginning.
 */
function encodeChoice(choice: Choice, question: Question, asking: Asking): Request {
  const { contextLength, introduction } = asking;
  const whole = introduction + choice.context + choice.continuation;
  const context = encode(stripEnd(introduction + choice.context), asking);
  const continuation = encode(whole, asking).slice(context.length);
  if (context.length === 0) throw cannotAsk(question, "a context is empty and the model has no BOS token");
  if (continuation.length === 0) throw cannotAsk(question, "a continuation has no tokens of its own");
  if (continuation.length > contextLength) {
    throw cannotAsk(
      question,
      `a continuation has ${continuation.length} tokens and the model's context holds ${contextLength}`,
    );
  }
  // The continuation's last token is scored, not evaluated.
  const excess = Math.max(0, context.length + continuation.length - 1 - contextLength);
  return { context: context.slice(excess), continuation, truncated: excess > 0 };
}

/**
 * Groups requests that differ only in the last token of their continuation. One evaluation serves a group.
 */
function groupRequests(requests: readonly Request[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  for (const [index, { context, continuation }] of requests.entries()) {
    const key = `${context.join()};${continuation.slice(0, -1).join()}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  return [...groups.values()];
}

function cannotAsk({ line }: Question, why: string): BitNetError {
  const which = line === undefined ? "a question" : `the question of line ${line}`;
  return new BitNetError("INVALID_ARGUMENT", `Cannot ask ${which}: ${why}`, { details: { line } });
}
