import { basename } from "node:path";
import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { evaluateTask, type TaskResult } from "../../tools/evaluation/evaluate-task.js";
import type { EvaluationTask } from "../../tools/evaluation/question.js";
import { readTask } from "../../tools/evaluation/read-task.js";
import type { CliCommand } from "../command.js";
import { createCountBar } from "../count-bar.js";
import { collect } from "../flag-values.js";
import { addFlags, evaluateFlags, expertFlags, loadFlags, readFlags } from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { readTextFile } from "../text-file.js";
import { createTextTable } from "../text-table.js";
import { visible } from "../visible.js";

interface EvalFlags extends Readonly<Record<string, unknown>> {
  readonly file: readonly string[];
  readonly labels?: string;
  readonly examples?: string;
  readonly bos: boolean;
  readonly json?: true;
}

const help = `
Reads benchmarks in their published form, JSON Lines: ARC, WinoGrande, BoolQ, HellaSwag, PIQA, MMLU and GSM8K.
Prompts and scores are those of lm-evaluation-harness. acc takes the choice with the greatest log-likelihood, acc_norm
divides it by the choice's characters, acc_bytes by its bytes. GSM8K's answers are generated and compared. stderr is
one standard error. Examples (--shots) come from --examples, or from the file itself without the question asked.
--json prints one object per file, on a line each: { task, file, items, total, shots, truncated, and each metric and
its standard error }. Ctrl-C prints the results so far.

Examples:
  bitnet eval model.gguf -f ARC-Challenge-Test.jsonl --limit 100
  bitnet eval model.gguf -f valid.jsonl --labels valid-labels.lst
  bitnet eval model.gguf -f test.jsonl --task gsm8k --shots 5 --examples train.jsonl --json`;

export const evaluate: CliCommand = {
  name: "eval",
  summary: "Ask a model the questions of benchmarks",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .requiredOption("-f, --file <path>", "a benchmark; may be given several times", collect);
    addFlags(command, evaluateFlags);
    command
      .option("--examples <path>", "file of solved examples (default: the benchmark itself)")
      .option("--labels <path>", "file of right answers, one per line, for benchmarks without them")
      .option("--no-bos", "do not begin prompts with BOS, even if the model wants it");
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .option("--json", "print one JSON object per file")
      .addHelpText("after", help)
      .action((path: string | undefined, flags: EvalFlags) => evaluateFiles(path, flags, terminal));
  },
};

/** A file and the questions in it. */
interface TaskFile {
  readonly path: string;
  readonly task: EvaluationTask;
}

async function evaluateFiles(path: string | undefined, flags: EvalFlags, terminal: Terminal): Promise<void> {
  const { task: taskName, ...asked } = readFlags(flags, evaluateFlags);
  if (flags.file.length > 1 && (flags.labels !== undefined || flags.examples !== undefined)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Cannot use --labels or --examples for several files: give one -f",
    );
  }
  const labels = flags.labels === undefined ? undefined : await readTextFile(flags.labels);
  // Loading a model can take long, so files are checked first.
  const read = async (file: string, withLabels?: string): Promise<EvaluationTask> =>
    readTask(await readTextFile(file), { task: taskName, name: `"${file}"`, labels: withLabels });
  const files: TaskFile[] = [];
  for (const file of flags.file) files.push({ path: file, task: await read(file, labels) });
  const examples = flags.examples === undefined ? undefined : await read(flags.examples);

  // Choices need the logits of unlikely tokens. Written answers need only the largest.
  const choosing = files.every(({ task }) => task.questions.every(({ kind }) => kind === "choice"));
  const loading = readLoadOptions(flags, choosing ? { head: "whole" } : {});
  const { model } = await openModel(path, loading, terminal);
  const print = flags.json === true ? printJson : createTablePrinter(files);
  try {
    for (const file of files) {
      await evaluateFile(model, file, { ...asked, examples, addBos: flags.bos }, terminal, print);
    }
  } finally {
    await model.dispose();
  }
}

type Print = (file: TaskFile, result: TaskResult, terminal: Terminal) => void;

async function evaluateFile(
  model: LanguageModel,
  file: TaskFile,
  options: Parameters<typeof evaluateTask>[2],
  terminal: Terminal,
  print: Print,
): Promise<void> {
  const bar = await createCountBar(terminal, "Asking", "questions");
  let soFar: TaskResult | undefined;
  try {
    await evaluateTask(model, file.task, {
      ...options,
      signal: terminal.signal,
      onProgress: (result) => {
        soFar = result;
        const [first] = result.metrics;
        bar.update(
          result.items,
          result.total,
          first === undefined ? "" : `${first.name} ${first.value.toFixed(4)}`,
        );
      },
    });
  } finally {
    bar.stop();
    // A failed or stopped evaluation still prints its results so far.
    if (soFar !== undefined) {
      print(file, soFar, terminal);
      noteWhatIsMissing(file.path, soFar, terminal);
    }
  }
}

function noteWhatIsMissing(path: string, { items, total, truncated }: TaskResult, terminal: Terminal): void {
  const name = visible(path);
  if (items < total) terminal.note(`bitnet: ${name}: stopped after ${items} of ${total} questions`);
  if (truncated > 0) {
    terminal.note(
      `bitnet: ${name}: ${truncated} prompts were longer than the context and lost their beginning`,
    );
  }
}

function printJson({ path }: TaskFile, result: TaskResult, terminal: Terminal): void {
  const { task, items, total, shots, truncated, metrics } = result;
  const values = metrics.flatMap(({ name, value, stderr }): [string, number | null][] => [
    [name, value],
    [`${name}_stderr`, stderr ?? null],
  ]);
  const line = { task, file: path, items, total, shots, truncated, ...Object.fromEntries(values) };
  terminal.write(`${JSON.stringify(line)}\n`);
}

/** Prints a row for each metric, and the heading before the first. */
function createTablePrinter(files: readonly TaskFile[]): Print {
  const table = createTextTable(
    [
      { title: "task", width: 10 },
      { title: "file" },
      { title: "questions", align: "right" },
      { title: "shots", align: "right" },
      { title: "metric", width: 16 },
      { title: "value", align: "right", width: 6 },
      { title: "stderr", align: "right", width: 6 },
    ],
    files.map(({ path }) => ["", visible(basename(path))]),
  );
  let begun = false;
  return ({ path }, { task, items, shots, metrics }, terminal) => {
    if (!begun) terminal.write(`${table.head}\n`);
    begun = true;
    for (const { name, value, stderr } of metrics) {
      const cells = [task, visible(basename(path)), String(items), String(shots), name];
      terminal.write(`${table.row([...cells, value.toFixed(4), stderr?.toFixed(4) ?? ""])}\n`);
    }
  };
}
