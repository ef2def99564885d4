import { type Command, Option } from "commander";
import type { EmbedOptions } from "../generation/embed-options.js";
import { type GenerateOptions, speculations } from "../generation/resolve-options.js";
import type { LoadOptions } from "../language-model.js";
import { kernelBuilds } from "../wasm/kernel-build.js";
import type { EvaluateTaskOptions } from "../tools/evaluation/evaluate-task.js";
import { taskFormats } from "../tools/evaluation/formats/index.js";
import type { ReadTaskOptions } from "../tools/evaluation/read-task.js";
import type { PerplexityOptions } from "../tools/evaluation/perplexity.js";
import { dotForms } from "../wasm/dot-forms.js";
import { collect, parseNumber } from "./flag-values.js";

/** A flag that sets one option of the library; the library checks its range and has its default. */
interface LibraryFlag<Options> {
  readonly option: keyof Options & string;
  readonly flags: string;
  readonly about: string;
  /** Numbers by default. */
  readonly parse?: (text: string, previous: readonly string[] | undefined) => readonly string[];
  /** The value is a text as it is. */
  readonly text?: true;
  readonly choices?: readonly string[];
  /** Left out of the help: for experiments. */
  readonly hidden?: true;
}

/** How a model is loaded. */
export const loadFlags: readonly LibraryFlag<LoadOptions>[] = [
  { option: "threads", flags: "-t, --threads <count>", about: "threads (default: one per available CPU)" },
  {
    option: "contextLength",
    flags: "-c, --ctx <tokens>",
    about: "context length (default: the model's, as far as memory allows)",
  },
];

/** What chooses between equals, or is measured; hidden, as the defaults are chosen by asking the host. */
export const expertFlags: readonly LibraryFlag<LoadOptions>[] = [
  {
    option: "kernelBuild",
    flags: "--kernel-build <build>",
    about: "build of the kernels",
    choices: kernelBuilds,
    hidden: true,
  },
  {
    option: "ternaryForm",
    flags: "--ternary-form <form>",
    about: "ternary product",
    choices: dotForms,
    hidden: true,
  },
  {
    option: "head",
    flags: "--head <form>",
    about: "output matrix",
    choices: ["auto", "whole", "screened"],
    hidden: true,
  },
  {
    option: "sparsity",
    flags: "--sparsity <when>",
    about: "leaving out what zeros make useless",
    choices: ["auto", "on", "off"],
    hidden: true,
  },
];

/** How a text is written. */
export const generateFlags: readonly LibraryFlag<GenerateOptions>[] = [
  {
    option: "temperature",
    flags: "--temp <number>",
    about: "chance: 0 always takes the likeliest token (default: the model's, else 0.8)",
  },
  {
    option: "topK",
    flags: "--top-k <count>",
    about: "draw from the likeliest tokens only; 0 is off (default: the model's, else 40)",
  },
  {
    option: "topP",
    flags: "--top-p <share>",
    about: "draw from the fewest that make up this share; 1 is off (default: the model's, else 0.95)",
  },
  {
    option: "minP",
    flags: "--min-p <share>",
    about: "leave out tokens below this share of the likeliest (default: the model's, else 0.05)",
  },
  {
    option: "repeatPenalty",
    flags: "--repeat-penalty <factor>",
    about: "discourage recent tokens; 1 is off (default: the model's, else 1)",
  },
  {
    option: "repeatLastN",
    flags: "--repeat-last-n <tokens>",
    about: "how far penalties look back; -1 is all (default: the model's, else 64)",
  },
  {
    option: "presencePenalty",
    flags: "--presence-penalty <number>",
    about: "discourage tokens that occurred (default: 0)",
  },
  {
    option: "frequencyPenalty",
    flags: "--frequency-penalty <number>",
    about: "discourage by occurrences (default: 0)",
  },
  {
    option: "seed",
    flags: "--seed <number>",
    about: "same seed, same text (default: by chance, printed at the end)",
  },
  {
    option: "stop",
    flags: "--stop <text>",
    about: "end before this text; may be given several times",
    parse: collect,
  },
  {
    option: "speculation",
    flags: "--speculation <mode>",
    about: "check repetitions several tokens at a time; the text is the same (default: auto, greedy only)",
    choices: speculations,
  },
];

/** How a text is cut for measuring perplexity. */
export const perplexityFlags: readonly LibraryFlag<PerplexityOptions>[] = [
  {
    option: "contextLength",
    flags: "-c, --ctx <tokens>",
    about: "tokens of a chunk (default: 512, or the model's context)",
  },
  { option: "chunks", flags: "--chunks <count>", about: "evaluate only the first so many chunks" },
  {
    option: "stride",
    flags: "--stride <tokens>",
    about: "let chunks overlap: each begins this many tokens after the last, and as many are scored",
  },
];

/** What of a benchmark is asked, and how. */
export const evaluateFlags: readonly LibraryFlag<EvaluateTaskOptions & ReadTaskOptions>[] = [
  {
    option: "task",
    flags: "--task <name>",
    about: "which benchmark the file has (default: auto, by its fields)",
    choices: ["auto", ...taskFormats.map(({ name }) => name)],
  },
  { option: "limit", flags: "--limit <count>", about: "ask only the first so many questions" },
  {
    option: "shots",
    flags: "--shots <count>",
    about: "solved examples before each question (default: 0)",
  },
  {
    option: "maxTokens",
    flags: "-n, --max-tokens <count>",
    about: "most tokens of a written answer (default: 256)",
  },
];

/** How texts are embedded. */
export const embedFlags: readonly LibraryFlag<EmbedOptions>[] = [
  {
    option: "kind",
    flags: "--kind <kind>",
    about: "what texts are: queries get the model's instruction (default: document)",
    choices: ["document", "query"],
  },
  {
    option: "instruction",
    flags: "--instruction <text>",
    about: "what queries are for, in one sentence (default: finding passages that answer them)",
    text: true,
  },
  {
    option: "pooling",
    flags: "--pooling <which>",
    about: "which hidden states make the vector (default: what the file says, or mean)",
    choices: ["last", "mean"],
  },
];

/** The long flag of each library option, for messages. */
export const flagNames: ReadonlyMap<string, string> = new Map<string, string>([
  ["maxTokens", "--max-tokens"],
  ["type", "--type"],
  ["headType", "--head-type"],
  ["output", "--output"],
  ...[
    ...loadFlags,
    ...expertFlags,
    ...generateFlags,
    ...embedFlags,
    ...perplexityFlags,
    ...evaluateFlags,
  ].map(({ option, flags }): [string, string] => [option, new Option(flags).long ?? option]),
]);

export function addFlags<Options>(command: Command, table: readonly LibraryFlag<Options>[]): void {
  for (const { flags, about, parse, choices, hidden, text } of table) {
    const option = new Option(flags, about).hideHelp(hidden === true);
    if (choices !== undefined) option.choices(choices);
    else if (parse !== undefined) option.argParser(parse);
    else if (text !== true) option.argParser(parseNumber);
    command.addOption(option);
  }
}

/** The library's options out of what commander parsed; those not given are left out. */
export function readFlags<Options>(
  parsed: Readonly<Record<string, unknown>>,
  table: readonly LibraryFlag<Options>[],
): Partial<Options> {
  const given = table
    .map(({ option, flags }) => [option, parsed[new Option(flags).attributeName()]] as const)
    .filter(([, value]) => value !== undefined);
  // Each value came out of the parser of its flag.
  return Object.fromEntries(given) as Partial<Options>;
}
