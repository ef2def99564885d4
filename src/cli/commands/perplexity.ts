import type { Command } from "commander";
import {
  defaultChunkTokens,
  perplexity as measure,
  type PerplexityOptions,
  type PerplexityResult,
} from "../../tools/evaluation/perplexity.js";
import type { LoadOptions } from "../../language-model/load-options.js";
import type { CliCommand } from "../command.js";
import { createCountBar } from "../count-bar.js";
import { addFlags, expertFlags, loadFlags, perplexityFlags, readFlags } from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { readTextFile } from "../text-file.js";

interface PerplexityFlags extends Readonly<Record<string, unknown>> {
  readonly file: string;
  readonly json?: true;
}

const help = `
Measures like llama-perplexity. The text is cut into chunks of -c tokens. Each chunk is evaluated by itself, and the
tokens of its second half are scored. The ± is one standard error. The text must have at least two chunks.
--json prints { perplexity, tokens, chunks }: tokens is the number of scored tokens. Ctrl-C prints the result so far.

Examples:
  bitnet perplexity -f story.txt -c 128
  bitnet perplexity model.gguf -f wiki.test.raw --chunks 20 --json`;

/** Flags of loading. In this command -c is the length of a chunk. */
const ownLoadFlags = loadFlags.filter(({ option }) => option === "threads" || option === "cacheType");

export const perplexity: CliCommand = {
  name: "perplexity",
  summary: "Measure how well a model predicts a text",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .requiredOption("-f, --file <path>", "the text, in UTF-8");
    addFlags(command, perplexityFlags);
    for (const table of [ownLoadFlags, expertFlags]) addFlags(command, table);
    command
      .option("--json", "print one JSON object")
      .addHelpText("after", help)
      .action((path: string | undefined, flags: PerplexityFlags) => measureFile(path, flags, terminal));
  },
};

async function measureFile(
  path: string | undefined,
  flags: PerplexityFlags,
  terminal: Terminal,
): Promise<void> {
  const options = readFlags(flags, perplexityFlags);
  // Like llama.cpp, drop the line break at the end of the file.
  const text = (await readTextFile(flags.file)).replace(/\n$/, "");
  const { model } = await openModel(path, loadOptions(options, flags), terminal);
  const bar = await createCountBar(terminal, "Evaluating", "chunks");
  let soFar: PerplexityResult | undefined;
  try {
    await measure(model, text, {
      ...options,
      signal: terminal.signal,
      onProgress: (result, total) => {
        soFar = result;
        bar.update(result.chunks, total, `perplexity ${result.perplexity.toFixed(4)}`);
      },
    });
  } finally {
    bar.stop();
    // A failed or stopped measurement still prints its result so far.
    if (soFar !== undefined) {
      terminal.write(flags.json === true ? asJson(soFar) : asText(soFar));
      if (options.contextLength === undefined) noteShortChunks(soFar, terminal);
    }
    await model.dispose();
  }
}

function loadOptions(
  { contextLength, stride }: Partial<PerplexityOptions>,
  flags: PerplexityFlags,
): LoadOptions {
  return {
    // Every logit is read, so a screened head would save nothing.
    ...readLoadOptions(flags, { head: "whole" }),
    // A stride makes chunks longer than -c.
    contextLength: stride === undefined ? contextLength : undefined,
  };
}

/** Perplexities of different chunk lengths are not comparable, so a changed length is reported. */
function noteShortChunks({ chunkTokens }: PerplexityResult, terminal: Terminal): void {
  if (chunkTokens >= defaultChunkTokens) return;
  const [had, not] = [chunkTokens, defaultChunkTokens];
  terminal.note(`bitnet: the model holds ${had} tokens: chunks were of ${had}, not ${not}`);
}

function asJson({ perplexity: value, tokens, chunks }: PerplexityResult): string {
  return `${JSON.stringify({ perplexity: value, tokens, chunks })}\n`;
}

function asText(result: PerplexityResult): string {
  const { perplexity: value, uncertainty, tokens, chunks, chunkTokens } = result;
  const spread = uncertainty === undefined ? "" : ` ± ${uncertainty.toFixed(4)}`;
  return `perplexity ${value.toFixed(4)}${spread}: ${tokens} tokens scored, chunks of ${chunkTokens}, ${chunks} of them\n`;
}
