import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import { dummyShapes } from "../../tools/dummy/shapes.js";
import { type DummyOptions, dummyTypes, writeDummyModel } from "../../tools/dummy/dummy.js";
import { inspectModel } from "../../tools/inspect.js";
import type { CliCommand } from "../command.js";
import { parseNumber } from "../flag-values.js";
import { createProgressBar } from "../progress-bar.js";
import type { Terminal } from "../terminal.js";
import { formatBytes, formatCount, formatMs } from "../units.js";
import { visible } from "../visible.js";

interface DummyFlags {
  readonly size: string;
  readonly output: string;
  readonly type: string;
  readonly headType: string;
  readonly seed: number;
  readonly force?: true;
  readonly json?: true;
}

const help = `
Sizes: ${[...dummyShapes.keys()].join(", ")}.
Types: ${dummyTypes.join(", ")}.
The file has the shape, types and tokenizer of a real model, and random weights. Use it only to measure speed and
memory. The same size, types and seed give the same file.
--json prints { path, size, type, headType, seed, tensors, parameters, bytes, writeMs }.

Examples:
  bitnet dummy --size 2B4T -o big.gguf
  bitnet dummy --size 700M --type tq2_0 --head-type q6_k -o grouped.gguf
  bitnet bench big.gguf -p 128 -n 32`;

export const dummy: CliCommand = {
  name: "dummy",
  summary: "Write a random-weight model of a published shape",
  define(command: Command, terminal: Terminal): void {
    command
      .usage("--size <name> -o <file> [options]")
      .requiredOption("-s, --size <name>", "published shape")
      .requiredOption("-o, --output <file>", "the GGUF file to write")
      .option("--type <type>", "type of the matrices in layers", "i2_s")
      .option("--head-type <type>", "type of the embedding, which is also the output head", "f16")
      .option("--seed <number>", "seed of the weights, a whole number", parseNumber, 0)
      .option("--force", "replace an existing file")
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((flags: DummyFlags) => writeDummy(flags, terminal));
  },
};

async function writeDummy(flags: DummyFlags, terminal: Terminal): Promise<void> {
  const { output: path, type, headType, seed } = flags;
  const size = sizeName(flags.size);
  if (flags.force !== true && (await exists(path))) {
    throw new BitNetError("FILE_WRITE", `Cannot write "${path}": it exists already; --force replaces it`);
  }
  const startedMs = performance.now();
  await withBar({ size, path, type, headType, seed, signal: terminal.signal }, terminal);
  const writeMs = performance.now() - startedMs;

  const { tensors, summary } = await inspectModel(path, { signal: terminal.signal });
  const result = {
    path,
    size,
    type: type.toLowerCase(),
    headType: headType.toLowerCase(),
    seed,
    tensors: tensors.length,
    parameters: summary.parameters,
    bytes: summary.fileBytes,
    writeMs: Math.round(writeMs),
  };
  terminal.write(
    flags.json === true
      ? `${JSON.stringify(result)}\n`
      : `${visible(path)}: ${size} in ${result.type}, head in ${result.headType}, ${formatBytes(result.bytes)}, ${result.tensors} tensors, ` +
          `${formatCount(result.parameters)} parameters, written in ${formatMs(writeMs)}\n`,
  );
}

async function withBar(options: DummyOptions, terminal: Terminal): Promise<void> {
  const bar = await createProgressBar(terminal, "Writing");
  try {
    await writeDummyModel({
      ...options,
      onProgress: ({ loadedBytes, totalBytes }) => bar.update(loadedBytes, totalBytes),
    });
  } finally {
    bar.stop();
  }
}

/** Accepts a size in any case. The library refuses unknown sizes. */
function sizeName(typed: string): string {
  return [...dummyShapes.keys()].find((name) => name.toLowerCase() === typed.toLowerCase()) ?? typed;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
