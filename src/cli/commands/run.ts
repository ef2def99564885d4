import { type Command, Option } from "commander";
import { BitNetError } from "../../errors.js";
import { encodeOpenText } from "../../generation/prompt.js";
import type { FinishReason } from "../../generation/generated-piece.js";
import { randomSeed } from "../../generation/sampling/random.js";
import { resolveGenerateOptions } from "../../generation/resolve-options.js";
import type { GenerateOptions, SpeculationCounts } from "../../options/generate-options.js";
import { internalsOf } from "../../language-model/internals.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import type { CliCommand } from "../command.js";
import { parseNumber } from "../flag-values.js";
import {
  addFlags,
  expertFlags,
  generateFlags,
  loadFlags,
  logprobFlags,
  readFlags,
  specialFlags,
} from "../library-flags.js";
import { modelMeant } from "../local-model.js";
import { openModel, readLoadOptions } from "../open-model.js";
import { type PromptFlags, readPrompt } from "../prompt.js";
import { createRunRecord, type RunResult } from "../run-record.js";
import type { Terminal } from "../terminal.js";
import { formatMs, formatRate } from "../units.js";

interface RunFlags extends PromptFlags, Readonly<Record<string, unknown>> {
  readonly maxTokens?: number;
  readonly echo: boolean;
  readonly json?: true;
}

const defaultMaxTokens = 128;
/** For `-n`: until the context is full. */
const untilFull = -1;

const help = `
Prints the prompt and its continuation as one text. Speed and seed go to standard error.
--json prints { text, tokenIds, promptTokens, generatedTokens, finishReason, timings } instead. text and tokenIds
exclude the prompt. With --logprobs, logprobs has one entry per token.
Without -p and -f, the prompt is read from standard input.

Examples:
  bitnet run -p "Once upon a time" -n 200 --seed 7
  bitnet run model.gguf -f prompt.txt --temp 0 --json
  echo "The little fox" | bitnet run --no-echo --stop "."
  bitnet run chat.gguf --special -p "<|user|>Hello<|assistant|>"`;

export const run: CliCommand = {
  name: "run",
  summary: "Continue a text",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .addOption(new Option("-p, --prompt <text>", "the text to continue").conflicts("file"))
      .option("-f, --file <path>", "read the prompt from a file")
      .option(
        "-n, --max-tokens <count>",
        `maximum tokens to generate; ${untilFull}: until the context is full (default: ${defaultMaxTokens}, or what the context holds)`,
        parseNumber,
      );
    for (const table of [generateFlags, specialFlags, logprobFlags]) addFlags(command, table);
    for (const table of [loadFlags, expertFlags]) addFlags(command, table);
    command
      .option("--no-echo", "print only the generated text")
      .option("--json", "print one JSON object at the end")
      .addHelpText("after", help)
      .action((path: string | undefined, flags: RunFlags) => runModel(path, flags, terminal));
  },
};

async function runModel(path: string | undefined, flags: RunFlags, terminal: Terminal): Promise<void> {
  const logprobs = readFlags(flags, logprobFlags);
  if (flags.json !== true && Object.keys(logprobs).length > 0) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "--logprobs and --top-logprobs need --json: only it prints them",
    );
  }
  const given: GenerateOptions = {
    seed: randomSeed(),
    ...readFlags(flags, generateFlags),
    ...readFlags(flags, specialFlags),
    // --top-logprobs implies --logprobs.
    ...(logprobs.topLogprobs !== undefined && { logprobs: true }),
    ...logprobs,
  };
  const maxTokens = flags.maxTokens === untilFull ? undefined : flags.maxTokens;
  // The library checks this too, but only after loading the model.
  resolveGenerateOptions({ ...given, maxTokens });
  // A text in the model's place is a common mistake. It must not end as "There is no prompt".
  if (path !== undefined) modelMeant(path);
  const prompt = await readPrompt(flags, terminal.signal);
  const { model, loadMs } = await openModel(path, readLoadOptions(flags), terminal);
  try {
    const { tokenizer } = internalsOf(model);
    const promptTokens = encodeOpenText(tokenizer, prompt, { parseSpecial: given.parseSpecial }).length;
    const options = {
      ...given,
      // More than the context holds ends by "length", as everywhere else.
      maxTokens: flags.maxTokens === untilFull ? undefined : fitting(model, promptTokens, flags.maxTokens),
      signal: terminal.signal,
    };
    await writeText({ model, loadMs, prompt, promptTokens, options, flags, terminal });
  } finally {
    await model.dispose();
  }
}

/** A number of tokens, shrunk to the room that the prompt leaves in the context. */
function fitting(model: LanguageModel, promptTokens: number, maxTokens = defaultMaxTokens): number {
  const room = model.info.contextLength - promptTokens + 1;
  return Math.max(1, Math.min(maxTokens, room));
}

async function writeText(task: {
  readonly model: LanguageModel;
  readonly loadMs: number;
  readonly prompt: string;
  readonly promptTokens: number;
  readonly options: GenerateOptions;
  readonly flags: RunFlags;
  readonly terminal: Terminal;
}): Promise<void> {
  const { model, prompt, promptTokens, options, flags, terminal } = task;
  const print = (text: string): void => {
    if (flags.json !== true) terminal.write(text);
  };
  // A prompt that does not fit is refused before it is echoed, so that the message stays visible.
  const echoed = flags.echo && promptTokens <= model.info.contextLength ? prompt : "";
  print(echoed);

  const record = createRunRecord(promptTokens, task.loadMs);
  let speculation: SpeculationCounts | undefined;
  const onSpeculation = (counts: SpeculationCounts): void => {
    speculation = counts;
  };
  let endedBy: FinishReason = "abort";
  let failed = true;
  try {
    for await (const piece of model.generate(prompt, { ...options, onSpeculation })) {
      record.add(piece);
      print(piece.text);
    }
    failed = false;
  } catch (error) {
    if (error instanceof BitNetError && error.code === "CONTEXT_FULL") endedBy = "length";
    throw error;
  } finally {
    // A failed or stopped generation still prints its text so far.
    const result = record.result(endedBy);
    if (!/(^|\n)$/.test(echoed + result.text)) print("\n");
    if (!failed || result.generatedTokens > 0) {
      if (flags.json === true) terminal.write(`${JSON.stringify(result)}\n`);
      else terminal.note(statistics(result, speculation, model, options));
    }
  }
}

function statistics(
  result: RunResult,
  speculation: SpeculationCounts | undefined,
  { info }: LanguageModel,
  { seed, temperature }: GenerateOptions,
): string {
  const { promptTokens, generatedTokens, finishReason, timings } = result;
  const drafts =
    speculation === undefined
      ? ""
      : `; ${speculation.acceptedTokens} of ${speculation.draftedTokens} drafted tokens accepted`;
  const promptRate = formatRate((promptTokens * 1000) / timings.promptMs);
  const lines = [
    ["load", formatMs(timings.loadMs), `${info.threads} threads, ${info.kernelBuild}`],
    ["prompt", formatMs(timings.promptMs), `${promptTokens} tokens, ${promptRate} tokens/s`],
    [
      "generation",
      formatMs(timings.generationMs),
      `${generatedTokens} tokens, ${formatRate(timings.tokensPerSecond)} tokens/s, ended by ${finishReason}${drafts}`,
    ],
    ...((temperature ?? info.sampling.temperature) === 0
      ? []
      : [["seed", String(seed), "--seed with this number repeats the text"]]),
  ];
  const width = Math.max(...lines.map(([, value = ""]) => value.length));
  return `\n${lines.map(([name = "", value = "", about = ""]) => `${name.padEnd(10)}  ${value.padStart(width)}  ${about}`).join("\n")}`;
}
