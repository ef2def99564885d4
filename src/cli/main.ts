#!/usr/bin/env node
import { Command } from "commander";
import type { CliCommand } from "./command.js";
import { batch } from "./commands/batch.js";
import { bench } from "./commands/bench.js";
import { chat } from "./commands/chat.js";
import { completion } from "./commands/completion.js";
import { convert } from "./commands/convert.js";
import { dummy } from "./commands/dummy.js";
import { embed } from "./commands/embed.js";
import { evaluate } from "./commands/eval.js";
import { inspect } from "./commands/inspect.js";
import { list } from "./commands/list.js";
import { mcp } from "./commands/mcp.js";
import { perplexity } from "./commands/perplexity.js";
import { pull } from "./commands/pull.js";
import { rm } from "./commands/rm.js";
import { run } from "./commands/run.js";
import { serve } from "./commands/serve.js";
import { worker } from "./commands/worker.js";
import { describeFailure, failureRecord } from "./failure.js";
import { translateArguments } from "./familiar-arguments.js";
import { flagNames } from "./library-flags.js";
import { packageVersion } from "./package-version.js";
import { openTerminal, type ProcessTerminal, type Terminal } from "./terminal.js";

/** Every command, in the order of the help. */
const commands: readonly CliCommand[] = [
  run,
  chat,
  serve,
  batch,
  worker,
  mcp,
  embed,
  pull,
  list,
  rm,
  inspect,
  convert,
  dummy,
  bench,
  perplexity,
  evaluate,
  completion,
];

const examples = `
Examples:
  bitnet run -p "Once upon a time"                 continue a text with the embedded model
  bitnet run model.gguf -p "Hello" -n 64 --temp 0  continue a text with your model, greedily
  bitnet serve model.gguf                          serve OpenAI's and Ollama's clients
  bitnet batch in.jsonl -o out.jsonl               answer a file of requests
  bitnet embed "The fox drinks."                   turn a text into a vector
  bitnet pull owner/repo                           download a model, named hf:owner/repo from then on
  bitnet inspect model.gguf                        show the content of a file
  bitnet convert folder -o model.gguf              convert a checkpoint to one file
  bitnet bench model.gguf -t 1,2                   measure the speed

Exit status: 0 on success, 1 after a failure, 2 after an invalid flag or value, 130 after Ctrl-C.
bitnet <command> --help describes a command. With --json, a failure is also one line of JSON on standard output.`;

function createProgram(terminal: Terminal): Command {
  const program = new Command("bitnet")
    .description("Runs 1-bit and ternary language models on the CPU.")
    .version(packageVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .usage("<command> [model] [options]")
    .addHelpText("after", examples)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.write(text),
      writeErr: (text) => terminal.note(text.trimEnd()),
      // "error: unknown option '--tmp'\n(Did you mean --temp?)\n" becomes one line.
      outputError: (text, write) =>
        write(
          `bitnet: ${text
            .replace(/^error: /, "")
            .trimEnd()
            .replaceAll(/\s*\n\s*/g, " ")}\n`,
        ),
    });
  for (const { name, summary, define } of commands) {
    define(program.command(name).description(summary).helpOption("-h, --help", "print this help"), terminal);
  }
  return program;
}

/** @returns the exit status. */
async function main(terminal: ProcessTerminal): Promise<number> {
  let failure: unknown;
  try {
    const program = createProgram(terminal);
    await program.parseAsync(translateArguments(process.argv.slice(2), program.commands), { from: "user" });
  } catch (error) {
    failure = error;
  }
  try {
    // A stopped command rejects with the signal's reason. Its exit status is enough: the user knows the
    // reason.
    const status = await terminal.settle();
    if (status !== undefined) return status;
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) return 0;
  const record = process.argv.includes("--json") ? failureRecord(failure) : undefined;
  if (record !== undefined) terminal.write(`${record}\n`);
  const { line, status } = describeFailure(failure, flagNames);
  if (line !== undefined) terminal.note(line);
  return status;
}

const terminal = openTerminal();
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.once(event, (error) => {
    terminal.note(describeFailure(error, flagNames).line ?? String(error));
    process.exit(1);
  });
}
// Not process.exit: output may still be on its way to a pipe.
process.exitCode = await main(terminal);
