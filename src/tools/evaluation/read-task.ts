import { BitNetError } from "../../errors.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import type { TaskFormat } from "./formats/format.js";
import { taskFormats } from "./formats/index.js";
import type { EvaluationTask, Question } from "./question.js";
import { readTaskLines, type TaskLine, type TaskSource } from "./task-lines.js";

/** Options of `readTask`. */
export interface ReadTaskOptions {
  /**
   * The benchmark: "arc", "winogrande", "boolq", "hellaswag", "piqa", "mmlu", "gsm8k", or "auto", which
   * recognizes it by its fields. Default: "auto".
   */
  readonly task?: string | undefined;
  /** Name of the text in messages. Default: "the task". */
  readonly name?: string | undefined;
  /**
   * Right answers, one per line, for benchmarks that keep them in another file: PIQA, parts of WinoGrande.
   * Default: none.
   */
  readonly labels?: string | undefined;
}

const knownOptions: Record<keyof ReadTaskOptions, true> = { task: true, name: true, labels: true };

/**
 * Reads a benchmark in its published form: JSON Lines, one question per line. docs/guide/evaluation.md lists
 * the forms.
 *
 * @param text the content of the file.
 * @example
 * const task = readTask(await readFile("ARC-Challenge-Test.jsonl", "utf8"));
 * @throws BitNetError FILE_CORRUPT with the line and its expected fields; INVALID_ARGUMENT.
 */
export function readTask(text: string, options: ReadTaskOptions = {}): EvaluationTask {
  refuseUnknownOptions("readTask", options, Object.keys(knownOptions));
  const source: TaskSource = { name: options.name ?? "the task", text, expected: undefined };
  const named = chosenFormat(options.task ?? "auto");
  const lines = readTaskLines(source);
  const [first] = lines;
  if (first === undefined) {
    throw new BitNetError("FILE_CORRUPT", `Cannot read ${source.name}: it has no lines`, {
      details: { offset: 0 },
    });
  }
  const format = named ?? taskFormats.find((candidate) => candidate.recognizes(first)) ?? unrecognized(first);
  source.expected = `a line of ${format.title} has ${format.fields}`;
  const labelled = withLabels(format, lines, options.labels, source.name);
  return {
    name: format.name,
    metrics: format.metrics,
    questions: labelled.map((line): Question => ({ ...format.read(line), line: line.number })),
  };
}

/** @returns undefined for "auto". */
function chosenFormat(name: string): TaskFormat | undefined {
  if (name === "auto") return undefined;
  const format = taskFormats.find((candidate) => candidate.name === name);
  if (format !== undefined) return format;
  const names = taskFormats.map((candidate) => `"${candidate.name}"`).join(", ");
  throw new BitNetError("INVALID_ARGUMENT", `Invalid task: "${name}" (expected "auto", ${names})`, {
    details: { option: "task", value: name },
  });
}

function unrecognized(line: TaskLine): never {
  const known = taskFormats.map(({ title, fields }) => `${title}: ${fields}`).join("; ");
  return line.fail(`its fields belong to no known benchmark (${known})`);
}

/** Adds the right answers from another text, one number per line, as published. */
function withLabels(
  { title, labelField }: TaskFormat,
  lines: readonly TaskLine[],
  text: string | undefined,
  name: string,
): readonly TaskLine[] {
  if (text === undefined) return lines;
  if (labelField === undefined) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot use labels for ${title}: its lines already have their answers`,
    );
  }
  const labels = text.split("\n").map((label) => label.trim());
  while (labels.at(-1) === "") labels.pop();
  if (labels.length !== lines.length) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot use the labels for ${name}: there are ${labels.length} labels for ${lines.length} questions`,
    );
  }
  return lines.map((line, index) => line.with(labelField, labels[index]));
}
