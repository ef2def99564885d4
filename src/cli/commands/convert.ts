import type { Command } from "commander";
import {
  convert as convertModel,
  type Conversion,
  type ConvertOptions,
} from "../../tools/convert/convert.js";
import { convertibleTypes } from "../../tools/convert/plan.js";
import type { CliCommand } from "../command.js";
import { localModel } from "../local-model.js";
import { createProgressBar } from "../progress-bar.js";
import type { Terminal } from "../terminal.js";
import { formatBytes, formatMs } from "../units.js";
import { visible } from "../visible.js";

interface ConvertFlags {
  readonly output: string;
  readonly type: string;
  readonly headType?: string;
  readonly exactScales?: true;
  readonly force?: true;
  readonly json?: true;
}

const help = `
Types: ${convertibleTypes.join(", ")}.
A model is a GGUF file or a folder with config.json, tokenizer.json and safetensors files (packed or master weights).
It is converted in pieces, so memory does not limit its size. The output file appears when it is complete.
Ternary types need ternary weights. The config.json of a folder says how its weights become ternary.
--json prints { path, type, tensors, tensorBytes, roundedScales: { tensors, largestChange }, convertMs }.

Examples:
  bitnet convert bitnet-b1.58-2B-4T -o bitnet.gguf
  bitnet convert model-i2_s.gguf -o model-tq2_0.gguf --type tq2_0 --head-type q6_k`;

export const convert: CliCommand = {
  name: "convert",
  summary: "Write a model as a GGUF file of another type",
  define(command: Command, terminal: Terminal): void {
    command
      .usage("<model> -o <file> [options]")
      .argument("<model>", "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo")
      .requiredOption("-o, --output <file>", "the GGUF file to write")
      .option("--type <type>", "type of the matrices in layers", "i2_s")
      .option("--head-type <type>", "type of the output head (default: unchanged; f16 from a folder)")
      .option("--exact-scales", "store scales that a type would round in separate tensors")
      .option("--force", "replace an existing file")
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((model: string, flags: ConvertFlags) => convertFile(model, flags, terminal));
  },
};

async function convertFile(model: string, flags: ConvertFlags, terminal: Terminal): Promise<void> {
  const local = await localModel(model, terminal);
  const startedMs = performance.now();
  const { json, ...options } = flags;
  const result = await withBar(local, { ...options, signal: terminal.signal }, terminal);
  const convertMs = Math.round(performance.now() - startedMs);
  terminal.write(
    json === true ? `${JSON.stringify({ ...result, convertMs })}\n` : describe(result, convertMs),
  );
}

async function withBar(model: string, options: ConvertOptions, terminal: Terminal): Promise<Conversion> {
  const bar = await createProgressBar(terminal, "Converting");
  try {
    return await convertModel(model, {
      ...options,
      onProgress: ({ loadedBytes, totalBytes }) => bar.update(loadedBytes, totalBytes),
    });
  } finally {
    bar.stop();
  }
}

function describe({ path, type, tensors, tensorBytes, roundedScales }: Conversion, ms: number): string {
  const lines = [
    `${visible(path)}: ${type}, ${formatBytes(tensorBytes)} in ${tensors} tensors, written in ${formatMs(ms)}`,
  ];
  if (roundedScales.tensors > 0) {
    const change = (roundedScales.largestChange * 100).toPrecision(2);
    lines.push(
      `The scales of ${roundedScales.tensors} tensors were rounded to halves, by up to ${change} %; --exact-scales keeps them exact`,
    );
  }
  return `${lines.join("\n")}\n`;
}
