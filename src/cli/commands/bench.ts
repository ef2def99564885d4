import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import type { ModelInfo } from "../../language-model.js";
import type { Profile } from "../../model/profile.js";
import {
  type BenchmarkTest,
  measure,
  type Measurement,
  peakRssBytes,
  requireFits,
} from "../../tools/benchmark.js";
import type { CliCommand } from "../command.js";
import { parseCount, parseList } from "../flag-values.js";
import { addFlags, expertFlags, readFlags } from "../library-flags.js";
import { modelName, openModel } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { type Column, createTextTable } from "../text-table.js";
import { formatBytes, formatCount, formatMs, formatRate } from "../units.js";
import { visible } from "../visible.js";
import { readInspection } from "./inspect.js";

interface BenchFlags extends Readonly<Record<string, unknown>> {
  readonly promptTokens?: readonly number[];
  readonly generatedTokens?: readonly number[];
  readonly threads?: readonly number[];
  readonly repetitions: number;
  readonly json?: true;
  readonly profile?: true;
}

/** One element of what `bench --json` prints. */
interface BenchResult extends Measurement {
  readonly model: string;
  readonly threads: number;
  readonly kernelBuild: string;
  readonly peakRssBytes: number;
  readonly loadMs: number;
}

const defaultPromptTokens = 512;
const defaultGeneratedTokens = 128;

const help = `
Tests are named as llama-bench names them: pp512 evaluates a prompt of 512 tokens, tg128 generates 128 tokens, both
with an empty context. Each is run once to warm up and then -r times; the table has the median and the spread. Peak
memory is the most that this process has used so far: measure one model per call to compare models by it.
--json prints an array of { model, test, threads, kernelBuild, medianTokensPerSecond, minTokensPerSecond,
maxTokensPerSecond, repetitions, peakRssBytes, loadMs }.

Examples:
  bitnet bench
  bitnet bench model.gguf -p 128,512 -n 32 -t 1,2,4 --json`;

export const bench: CliCommand = {
  name: "bench",
  summary: "Measure prompt and generation speed",
  define(command: Command, terminal: Terminal): void {
    command
      .argument("[models...]", "GGUF files or checkpoints' folders (default: the embedded model)")
      .option(
        "-p, --prompt-tokens <list>",
        `prompt lengths, 0 for none (default: ${defaultPromptTokens}, or the context)`,
        parseList(0),
      )
      .option(
        "-n, --generated-tokens <list>",
        `text lengths, 0 for none (default: ${defaultGeneratedTokens}, or the context)`,
        parseList(0),
      )
      .option("-t, --threads <list>", "thread counts (default: one per available CPU)", parseList(1))
      .option("-r, --repetitions <count>", "how often to measure", parseCount(1), 5)
      .option("--profile", "also print where the time of a generated token goes, by operation")
      .option("--json", "print one JSON array at the end");
    addFlags(command, expertFlags);
    command
      .addHelpText("after", help)
      .action((paths: readonly string[], flags: BenchFlags) => benchModels(paths, flags, terminal));
  },
};

async function benchModels(paths: readonly string[], flags: BenchFlags, terminal: Terminal): Promise<void> {
  const tests = plannedTests(flags);
  if (tests.length === 0) {
    throw new BitNetError("INVALID_ARGUMENT", "There is nothing to measure: -p and -n are both 0");
  }
  const results: BenchResult[] = [];
  for (const path of paths.length > 0 ? paths : [undefined]) {
    let print: ((result: BenchResult) => void) | undefined;
    const notes = new Set<string>();
    for (const threads of flags.threads ?? [undefined]) {
      const profile = createProfileSum();
      const options = {
        ...readFlags(flags, expertFlags),
        threads,
        ...(flags.profile === true && { onProfile: profile.add }),
      };
      const { model, loadMs } = await openModel(path, options, terminal);
      try {
        const fitting = fitTests(modelName(path), tests, model.info.contextLength, notes, terminal);
        if (flags.json !== true) print ??= await printHead(path, model.info, terminal);
        for (const test of fitting) {
          profile.reset();
          const measurement = await measure(model, test, {
            repetitions: flags.repetitions,
            signal: terminal.signal,
          });
          const result = describeResult(modelName(path), measurement, model.info, loadMs);
          results.push(result);
          print?.(result);
          if (flags.profile === true && flags.json !== true && test.kind === "tg") {
            terminal.write(profile.table(1000 / result.medianTokensPerSecond));
          }
        }
      } finally {
        await model.dispose();
      }
    }
  }
  if (flags.json === true) terminal.write(`${JSON.stringify(results)}\n`);
}

interface ProfileSum {
  readonly add: (spent: Profile) => void;
  reset(): void;
  /** One line an operation, in milliseconds per token, that add up to the whole. */
  table(tokenMs: number): string;
}

function createProfileSum(): ProfileSum {
  const total = new Map<string, number>();
  let passes = 0;
  return {
    add(spent): void {
      passes += 1;
      for (const [name, ms] of Object.entries(spent)) total.set(name, (total.get(name) ?? 0) + ms);
    },
    reset(): void {
      total.clear();
      passes = 0;
    },
    table(tokenMs): string {
      const rows = [...total].map(([name, ms]) => [name, ms / Math.max(1, passes)] as const);
      const inside = rows.reduce((sum, [, ms]) => sum + ms, 0);
      const all = [
        ...rows,
        ["between passes (messages, rows of the file, screening)", tokenMs - inside] as const,
      ];
      const lines = [...all, ["a token", tokenMs] as const].map(
        ([name, ms]) => `  ${ms.toFixed(2).padStart(8)} ms  ${name}`,
      );
      return `${lines.join("\n")}\n`;
    },
  };
}

/** A test, and whether it is the default one, which shrinks to fit a model instead of failing. */
interface PlannedTest extends BenchmarkTest {
  readonly shrinks: boolean;
}

function plannedTests({ promptTokens, generatedTokens }: BenchFlags): readonly PlannedTest[] {
  const plan = (
    kind: BenchmarkTest["kind"],
    wanted: readonly number[] | undefined,
    otherwise: number,
  ): readonly PlannedTest[] =>
    (wanted ?? [otherwise])
      .filter((tokens) => tokens > 0)
      .map((tokens) => ({ kind, tokens, shrinks: wanted === undefined }));
  return [
    ...plan("pp", promptTokens, defaultPromptTokens),
    ...plan("tg", generatedTokens, defaultGeneratedTokens),
  ];
}

/** Fails before the first test is run if a later one could not be. */
function fitTests(
  name: string,
  planned: readonly PlannedTest[],
  contextLength: number,
  notes: Set<string>,
  terminal: Terminal,
): readonly BenchmarkTest[] {
  return planned.map(({ kind, tokens, shrinks }) => {
    if (!shrinks) requireFits({ kind, tokens }, contextLength);
    else if (tokens > contextLength) {
      const note = `bitnet: ${visible(name)} holds ${contextLength} tokens: measuring ${kind}${contextLength}, not ${kind}${tokens}`;
      // Once for a model, not once for every thread count.
      if (!notes.has(note)) terminal.note(note);
      notes.add(note);
    }
    return { kind, tokens: Math.min(tokens, contextLength) };
  });
}

function describeResult(
  name: string,
  measurement: Measurement,
  info: ModelInfo,
  loadMs: number,
): BenchResult {
  return {
    model: name,
    test: measurement.test,
    threads: info.threads,
    kernelBuild: info.kernelBuild,
    medianTokensPerSecond: round(measurement.medianTokensPerSecond),
    minTokensPerSecond: round(measurement.minTokensPerSecond),
    maxTokensPerSecond: round(measurement.maxTokensPerSecond),
    repetitions: measurement.repetitions,
    peakRssBytes: peakRssBytes(),
    loadMs: round(loadMs),
  };
}

/** The widths hold what is usual; rows are printed as they are measured. */
const columns: readonly Column[] = [
  { title: "test", width: 7 },
  { title: "threads", align: "right" },
  { title: "kernels", width: 14 },
  { title: "tokens/s", align: "right" },
  { title: "min … max", align: "right", width: 13 },
  { title: "weights read", align: "right" },
  { title: "load", align: "right", width: 7 },
  { title: "peak memory", align: "right" },
];

/** Prints what stands over a model's rows. @returns what prints a row. */
async function printHead(
  path: string | undefined,
  { memoryBytes }: ModelInfo,
  terminal: Terminal,
): Promise<(result: BenchResult) => void> {
  // What is in memory is what a token reads: a screened head is half of that in the file.
  const bytesPerToken = memoryBytes.weights + memoryBytes.head;
  const { parameters } = (await readInspection(path, terminal.signal)).summary;
  const table = createTextTable(columns, []);
  const about = `${formatCount(parameters)} parameters, ${formatBytes(bytesPerToken)} of weights per token`;
  terminal.write(`${visible(modelName(path))}: ${about}\n${table.head}\n`);
  return (result) => {
    // A prompt's tokens share what is read, so that only generation says how fast memory is.
    const read = result.test.startsWith("tg")
      ? `${formatBytes(bytesPerToken * result.medianTokensPerSecond)}/s`
      : "";
    const cells = [
      result.test,
      String(result.threads),
      result.kernelBuild,
      formatRate(result.medianTokensPerSecond),
      `${formatRate(result.minTokensPerSecond)} … ${formatRate(result.maxTokensPerSecond)}`,
      read,
      formatMs(result.loadMs),
      formatBytes(result.peakRssBytes),
    ];
    terminal.write(`${table.row(cells)}\n`);
  };
}

/** Three decimals: more is noise. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
