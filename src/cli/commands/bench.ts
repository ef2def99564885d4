import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import { internalsOf } from "../../language-model/internals.js";
import { tokenBytes } from "../../model/bytes-per-token.js";
import { openEnergyMeter } from "../../platform/energy-counters.js";
import { type BenchmarkTest, requireFits } from "../../tools/benchmark/benchmark.js";
import { type BenchmarkSetup, measureSetup, measureTest } from "../../tools/benchmark/model-benchmark.js";
import { createProfileSum } from "../../tools/benchmark/profile-parts.js";
import { createJsonReport, createTableReport } from "../bench-report.js";
import type { CliCommand } from "../command.js";
import { parseCount, parseList } from "../flag-values.js";
import { addFlags, cacheFlags, expertFlags, packingFlags, streamFlags } from "../library-flags.js";
import { modelName, openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { readTextFile } from "../text-file.js";
import { visible } from "../visible.js";

interface BenchFlags extends Readonly<Record<string, unknown>> {
  readonly promptTokens?: readonly number[];
  readonly generatedTokens?: readonly number[];
  readonly threads?: readonly number[];
  readonly repetitions: number;
  readonly file?: string;
  readonly json?: true;
  readonly details?: true;
  readonly profile?: true;
}

const defaultPromptTokens = 512;
const defaultGeneratedTokens = 128;

const help = `
Tests have llama-bench's names: pp512 evaluates a prompt of 512 tokens, tg128 generates 128 tokens. Both begin with an
empty context. Each test runs once to warm up and then -r times. The table shows the median and the spread.
"of limit" compares generation with the memory's speed: the same threads read the weights and do nothing else.
Peak memory is the maximum of this process so far. To compare models by it, measure one model per call.
Energy is measured if the machine has readable counters (Linux RAPL).
Some trained models have many zero activations and skip them. Their speed depends on the tokens: give a text by -f.
--json prints an array of { model, test, threads, kernelBuild, medianTokensPerSecond, minTokensPerSecond,
maxTokensPerSecond, repetitions, peakRssBytes, loadMs }. With --details, each also has all values of the table.

Examples:
  bitnet bench
  bitnet bench model.gguf -p 128,512 -n 32 -t 1,2,4 --json`;

export const bench: CliCommand = {
  name: "bench",
  summary: "Measure prompt and generation speed",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[models...]",
        "GGUF files, checkpoint folders, or names such as hf:owner/repo (default: the embedded model)",
      )
      .option(
        "-p, --prompt-tokens <list>",
        `prompt lengths, 0 for none (default: ${defaultPromptTokens}, or the context)`,
        parseList(0),
      )
      .option(
        "-n, --generated-tokens <list>",
        `generated tokens, 0 for none (default: ${defaultGeneratedTokens}, or the context)`,
        parseList(0),
      )
      .option("-t, --threads <list>", "thread counts (default: one per available CPU)", parseList(1))
      .option("-r, --repetitions <count>", "number of measurements", parseCount(1), 5)
      .option("-f, --file <path>", "take tokens from this UTF-8 text (default: random tokens)")
      .option("--profile", "also print the time of a generated token by operation, and zeros by layer")
      .option("--json", "print one JSON array at the end")
      .option("--details", "with --json: also first token, bytes read, share of the memory's limit, energy");
    addFlags(command, [...packingFlags, ...cacheFlags, ...streamFlags, ...expertFlags]);
    command
      .addHelpText("after", help)
      .action((paths: readonly string[], flags: BenchFlags) => benchModels(paths, flags, terminal));
  },
};

async function benchModels(paths: readonly string[], flags: BenchFlags, terminal: Terminal): Promise<void> {
  const tests = plannedTests(flags);
  if (tests.length === 0) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Cannot measure: -p and -n are both 0; give one of them a number of tokens",
    );
  }
  if (flags.details === true && flags.json !== true) {
    throw new BitNetError("INVALID_ARGUMENT", "--details needs --json: the table has the details anyway");
  }
  const text = flags.file === undefined ? undefined : await readTextFile(flags.file);
  if (text?.trim() === "") throw new BitNetError("INVALID_ARGUMENT", `There is no text in "${flags.file}"`);
  const meter = openEnergyMeter();
  const write = (text: string): void => terminal.write(text);
  const report = flags.json === true ? createJsonReport(write) : createTableReport(write, "zones" in meter);
  for (const path of paths.length > 0 ? paths : [undefined]) {
    const name = modelName(path);
    const notes = new Set<string>();
    let setup: BenchmarkSetup | undefined;
    for (const threads of flags.threads ?? [undefined]) {
      const profile = flags.profile === true ? createProfileSum() : undefined;
      const loadOptions = { ...readLoadOptions(flags, { onProfile: profile?.add }), threads };
      const { model, loadMs, loadedBytes } = await openModel(path, loadOptions, terminal);
      try {
        const options = {
          tests: fitTests(name, tests, model.info.contextLength, notes, terminal),
          repetitions: flags.repetitions,
          loadMs,
          loadedBytes,
          meter,
          text,
          profile,
          signal: terminal.signal,
        };
        const { parameters, packing, cacheType } = model.info;
        const bytes = tokenBytes(internalsOf(model).engine.model);
        report.begin({ name, parameters, packing, cacheType, tokenBytes: bytes });
        setup =
          flags.json === true && flags.details !== true ? undefined : await measureSetup(model, options);
        for (const test of options.tests) report.row(await measureTest(model, test, setup, options), setup);
        report.endThreads(setup);
      } finally {
        await model.dispose();
      }
    }
    report.endModel(setup);
  }
  report.end();
}

/** A test, and whether it is a default: then it shrinks to the model's context instead of failing. */
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

/** Fails before the first test if a later one does not fit the context. */
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
      // Once per model, not once per thread count.
      if (!notes.has(note)) terminal.note(note);
      notes.add(note);
    }
    return { kind, tokens: Math.min(tokens, contextLength) };
  });
}
