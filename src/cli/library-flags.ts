import { type Command, Option } from "commander";
import type { EmbedOptions } from "../generation/embed-options.js";
import type { GenerateOptions } from "../options/generate-options.js";
import type { EngineOptions } from "../engine/engine-options.js";
import type { LoadOptions } from "../language-model/load-options.js";
import { cacheTypes } from "../wasm/cache-types.js";
import { packingChoices } from "../model/choose-packing.js";
import { kernelBuilds } from "../wasm/kernel-build.js";
import type { EvaluateTaskOptions } from "../tools/evaluation/evaluate-task.js";
import { taskFormats } from "../tools/evaluation/formats/index.js";
import type { ReadTaskOptions } from "../tools/evaluation/read-task.js";
import type { PerplexityOptions } from "../tools/evaluation/perplexity.js";
import { dotForms } from "../wasm/dot-forms.js";
import { defaultText } from "../options/ranges.js";
import { type SamplingOption, samplingTable } from "../options/sampling-table.js";
import {
  collect,
  collectBias,
  parseBytes,
  parseJsonOrFile,
  parseNumber,
  parseTextFile,
} from "./flag-values.js";

/** A flag that sets one option of the library. The library has its default and checks its range. */
interface LibraryFlag<Options> {
  readonly option: keyof Options & string;
  readonly flags: string;
  readonly about: string;
  /** Default: a number, or true for a flag without a value. */
  readonly parse?: (text: string, previous: unknown) => unknown;
  /** The value stays a string. */
  readonly text?: true;
  readonly choices?: readonly string[] | undefined;
  /** For experiments: not in the help. */
  readonly hidden?: true;
}

/** Parsers of flags by kind of option. Other kinds need no parser. */
const samplingParsers: Readonly<Partial<Record<SamplingOption["kind"], Pick<LibraryFlag<never>, "parse">>>> =
  {
    strings: { parse: collect },
    biases: { parse: collectBias },
    schema: { parse: parseJsonOrFile },
  };

/** For `bench` and `inspect`, too, which have other flags for threads. */
export const packingFlags: readonly LibraryFlag<Pick<LoadOptions, "packing">>[] = [
  {
    option: "packing",
    flags: "--packing <how>",
    about:
      "keep ternary weights in 2 bits (fast) or in 1.6 bits (small) (default: auto, small if fast does not fit)",
    choices: packingChoices,
  },
];

/** For `bench`, `inspect` and `perplexity`, too. */
export const cacheFlags: readonly LibraryFlag<Pick<LoadOptions, "cacheType">>[] = [
  {
    option: "cacheType",
    flags: "--cache-type <type>",
    about:
      "keep keys and values as f16, or as int8: half the memory, faster long texts, rounded attention (default: f16)",
    choices: cacheTypes,
  },
];

/** For `bench`, too. */
export const streamFlags: readonly LibraryFlag<Pick<LoadOptions, "stream" | "streamMemory">>[] = [
  {
    option: "stream",
    flags: "--stream",
    about: "read layers that do not fit memory from disk in every pass",
  },
  {
    option: "streamMemory",
    flags: "--stream-memory <size>",
    about: "with --stream, memory for weights, such as 8GB (default: the free memory, less the context's)",
    parse: parseBytes,
  },
];

/** Options of loading. */
export const loadFlags: readonly LibraryFlag<LoadOptions>[] = [
  { option: "threads", flags: "-t, --threads <count>", about: "threads (default: one per available CPU)" },
  {
    option: "contextLength",
    flags: "-c, --ctx <tokens>",
    about: "context length (default: the model's, limited by memory)",
  },
  ...packingFlags,
  ...cacheFlags,
  ...streamFlags,
];

/** For commands that use chat templates. */
export const templateFlags: readonly LibraryFlag<LoadOptions>[] = [
  {
    option: "chatTemplate",
    flags: "--chat-template <file>",
    about: "chat template in Jinja (default: the model's)",
    parse: parseTextFile,
  },
];

/** Flags for experiments, hidden from --help: the defaults come from probing the host. */
export const expertFlags: readonly LibraryFlag<EngineOptions>[] = [
  {
    option: "kernelBuild",
    flags: "--kernel-build <build>",
    about: "build of the kernels",
    choices: kernelBuilds,
    hidden: true,
  },
  {
    option: "dotForm",
    flags: "--dot-form <form>",
    about: "dot form of the ternary matmul",
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
    about: "skip columns whose activations are zero",
    choices: ["auto", "on", "off"],
    hidden: true,
  },
];

/**
 * Flags of the sampling table, with its sentences. `run` and `chat` define -n themselves: their defaults
 * differ.
 */
export const generateFlags: readonly LibraryFlag<GenerateOptions>[] = samplingFlags(
  ({ name }) =>
    name !== "maxTokens" && name !== "maxThinkingTokens" && !isLogprobOption(name) && !isSpecialOption(name),
);

/** For `chat`: other texts have no thoughts. */
export const thinkingFlags: readonly LibraryFlag<GenerateOptions>[] = samplingFlags(
  ({ name }) => name === "maxThinkingTokens",
);

/** For `run`, whose prompt can be templated already. */
export const specialFlags: readonly LibraryFlag<GenerateOptions>[] = samplingFlags(({ name }) =>
  isSpecialOption(name),
);

/** For `run --json`: no other output has log-probabilities. */
export const logprobFlags: readonly LibraryFlag<GenerateOptions>[] = samplingFlags(({ name }) =>
  isLogprobOption(name),
);

function isLogprobOption(name: string): boolean {
  return name === "logprobs" || name === "topLogprobs";
}

function isSpecialOption(name: string): boolean {
  return name === "parseSpecial" || name === "showSpecial";
}

function samplingFlags(
  isWanted: (option: SamplingOption) => boolean,
): readonly LibraryFlag<GenerateOptions>[] {
  return samplingTable.filter(isWanted).flatMap((option) => {
    const { name, flags, about, kind } = option;
    if (flags === undefined) return [];
    const sentence = `${about.charAt(0).toLowerCase()}${about.slice(1, -1)}`;
    return {
      option: name,
      flags,
      about: `${sentence}${kind === "boolean" ? "" : ` (default: ${defaultText(option)})`}`,
      ...(kind === "choice" && { choices: option.choices }),
      ...samplingParsers[kind],
    };
  });
}

/** For files that are templated already. */
const parseSpecialFlag = {
  option: "parseSpecial",
  flags: "--special",
  about: "read control tokens that are spelled in the file as tokens (default: as text)",
} as const;

/** Options of measuring perplexity. */
export const perplexityFlags: readonly LibraryFlag<PerplexityOptions>[] = [
  {
    option: "contextLength",
    flags: "-c, --ctx <tokens>",
    about: "tokens of a chunk (default: 512, or the model's context)",
  },
  {
    option: "chunks",
    flags: "--chunks <count>",
    about: "maximum number of chunks to evaluate (default: all)",
  },
  {
    option: "stride",
    flags: "--stride <tokens>",
    about: "distance between chunks in tokens, and scored tokens per chunk (default: no overlap)",
  },
  parseSpecialFlag,
];

/** Options of asking a benchmark. */
export const evaluateFlags: readonly LibraryFlag<EvaluateTaskOptions & ReadTaskOptions>[] = [
  {
    option: "task",
    flags: "--task <name>",
    about: "benchmark of the file (default: auto, recognized by its fields)",
    choices: ["auto", ...taskFormats.map(({ name }) => name)],
  },
  { option: "limit", flags: "--limit <count>", about: "maximum number of questions (default: all)" },
  {
    option: "shots",
    flags: "--shots <count>",
    about: "solved examples before each question (default: 0)",
  },
  {
    option: "maxTokens",
    flags: "-n, --max-tokens <count>",
    about: "maximum tokens of a written answer (default: 256)",
  },
  parseSpecialFlag,
];

/** Options of embedding. */
export const embedFlags: readonly LibraryFlag<EmbedOptions>[] = [
  {
    option: "kind",
    flags: "--kind <kind>",
    about: "kind of the texts; queries get the model's instruction (default: document)",
    choices: ["document", "query"],
  },
  {
    option: "instruction",
    flags: "--instruction <text>",
    about: "purpose of queries, in one sentence (default: finding passages that answer them)",
    text: true,
  },
  {
    option: "pooling",
    flags: "--pooling <which>",
    about:
      "how to make one vector of all hidden states: take the last, or the mean (default: the file's, or mean)",
    choices: ["last", "mean"],
  },
];

/** The long flag of each library option, for messages. */
export const flagNames: ReadonlyMap<string, string> = new Map<string, string>([
  ["type", "--type"],
  ["headType", "--head-type"],
  ["output", "--output"],
  ...[
    ...loadFlags,
    ...templateFlags,
    ...expertFlags,
    ...samplingFlags(() => true),
    ...embedFlags,
    ...perplexityFlags,
    ...evaluateFlags,
  ].map(({ option, flags }): [string, string] => [option, new Option(flags).long ?? option]),
]);

/** Adds flags of any table to a command. */
export function addFlags(command: Command, table: readonly LibraryFlag<never>[]): void {
  for (const { flags, about, parse, choices, hidden, text } of table) {
    const option = new Option(flags, about).hideHelp(hidden === true);
    if (choices !== undefined) option.choices(choices);
    else if (parse !== undefined) option.argParser(parse);
    else if (text !== true && !option.isBoolean()) option.argParser(parseNumber);
    command.addOption(option);
  }
}

/** The library's options from commander's values, without the flags that were not given. */
export function readFlags<Options>(
  parsed: Readonly<Record<string, unknown>>,
  table: readonly LibraryFlag<Options>[],
): Partial<Options> {
  const given = table
    .map(({ option, flags }) => [option, parsed[new Option(flags).attributeName()]] as const)
    .filter(([, value]) => value !== undefined);
  // The parser of each flag has checked its value.
  return Object.fromEntries(given) as Partial<Options>;
}
