import { existsSync } from "node:fs";
import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import type { CliCommand } from "../command.js";
import { addFlags, embedFlags, expertFlags, loadFlags, readFlags } from "../library-flags.js";
import { modelName, openModel, readLoadOptions } from "../open-model.js";
import { readText } from "../prompt.js";
import type { Terminal } from "../terminal.js";

interface EmbedCommandFlags extends Readonly<Record<string, unknown>> {
  readonly file?: string;
  readonly json?: true;
}

const help = `
The first argument is the model if it names a file or a download. Otherwise it is a text. Without texts, each line of
-f or of standard input is a text. Prints a line of numbers per text: a vector of length 1. The dot product of two
vectors is the similarity of their texts. --json prints { model, dimensions, embeddings: [[…], …] } instead.

Examples:
  bitnet embed "The fox drinks." "A fox was thirsty."
  bitnet embed model.gguf "how do plants eat?" --kind query --json
  bitnet embed model.gguf -f sentences.txt`;

export const embed: CliCommand = {
  name: "embed",
  summary: "Turn texts into vectors",
  define(command: Command, terminal: Terminal): void {
    command
      .usage("[model] [texts...] [options]")
      .argument("[arguments...]", "a GGUF file (default: the embedded model), then texts")
      .option("-f, --file <path>", "read texts from a file, one per line");
    for (const table of [embedFlags, loadFlags, expertFlags]) addFlags(command, table);
    command
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((given: readonly string[], flags: EmbedCommandFlags) => embedTexts(given, flags, terminal));
  },
};

async function embedTexts(
  given: readonly string[],
  flags: EmbedCommandFlags,
  terminal: Terminal,
): Promise<void> {
  const [first] = given;
  const path = first !== undefined && namesModel(first) ? first : undefined;
  const texts = await collectTexts(path === undefined ? given : given.slice(1), flags, terminal);
  const { model } = await openModel(path, readLoadOptions(flags), terminal);
  try {
    const options = { ...readFlags(flags, embedFlags), signal: terminal.signal };
    const vectors = await model.embed(texts, options);
    // Nine digits identify every f32.
    const embeddings = vectors.map((vector) => Array.from(vector, (value) => Number(value.toPrecision(9))));
    if (flags.json === true) {
      const result = { model: modelName(path), dimensions: model.info.width, embeddings };
      terminal.write(`${JSON.stringify(result)}\n`);
    } else for (const embedding of embeddings) terminal.write(`${embedding.join(" ")}\n`);
  } finally {
    await model.dispose();
  }
}

/** Texts are rarely the name of a file, so the name of a file is a model. */
function namesModel(argument: string): boolean {
  return /\.gguf$/i.test(argument) || /^(hf|https?|file):/i.test(argument) || existsSync(argument);
}

/** @throws BitNetError INVALID_ARGUMENT if there is no text. */
async function collectTexts(
  given: readonly string[],
  { file }: EmbedCommandFlags,
  terminal: Terminal,
): Promise<readonly string[]> {
  if (given.length > 0 && file !== undefined) {
    throw new BitNetError("INVALID_ARGUMENT", "Cannot embed arguments and --file together: give one of them");
  }
  if (given.length > 0) return given;
  const lines = (await readText(file, terminal.signal)).split(/\r?\n/).filter((line) => line !== "");
  if (lines.length > 0) return lines;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "There is no text to embed: give one as an argument, name a file with -f, or pipe lines in",
  );
}
