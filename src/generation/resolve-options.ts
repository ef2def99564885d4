import type { Grammar } from "../grammar/grammar.js";
import { jsonGrammar, jsonGrammarAsync } from "../grammar/json-grammar.js";
import { invalidOption, isWhole } from "../options/checks.js";
import type {
  GenerateOptions,
  RecommendedSampling,
  Speculation,
  SpeculationCounts,
} from "../options/generate-options.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { isInRange, isNumberOption, maxStopLength, maxStops, rangeText } from "../options/ranges.js";
import { type OtherOption, type SamplingOption, samplingTable } from "../options/sampling-table.js";
import type { Thoughts } from "../text/thought-reader.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { randomSeed } from "./sampling/random.js";

/** The options that are numbers; none is undefined. */
type ResolvedNumbers = {
  readonly [
    Name in keyof GenerateOptions as GenerateOptions[Name] extends number | undefined ? Name : never
  ]-?: number;
};

/** The options that a sampler reads, with defaults. */
export interface SamplerOptions extends Omit<ResolvedNumbers, "maxTokens" | "maxThinkingTokens" | "seed"> {
  readonly logitBias: ReadonlyMap<number, number>;
  readonly logprobs: boolean;
}

/** Options of the library's own callers. */
export interface InnerGenerateOptions extends GenerateOptions {
  /** The grammar of the text, instead of `jsonSchema`. */
  readonly grammar?: Grammar | undefined;
  /** Control tokens of these spellings are shown in the text, also without `showSpecial`. Default: none. */
  readonly shownTokens?: readonly string[] | undefined;
  /**
   * Makes the watcher of one answer. It receives the answer's text without thoughts, piece by piece. The
   * answer ends with the piece for which it returns true. Default: none.
   */
  readonly createWatcher?: (() => (text: string) => boolean) | undefined;
  /**
   * How thoughts are separated from the answer. Null in a chat with a model that has no thoughts. Default:
   * the text is no answer of a chat.
   */
  readonly thoughts?: Thoughts | null | undefined;
}

/** Checked options, with defaults. */
export interface ResolvedGenerateOptions extends SamplerOptions {
  /** Infinity if only the context limits the text. */
  readonly maxTokens: number;
  /** Infinity if thoughts have no limit of their own. */
  readonly maxThinkingTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly parseSpecial: boolean;
  readonly showSpecial: boolean;
  readonly shownTokens: readonly string[];
  readonly createWatcher: (() => (text: string) => boolean) | undefined;
  readonly grammar: Grammar | undefined;
  readonly thoughts: Thoughts | undefined;
  readonly speculation: Speculation;
  readonly onSpeculation: ((counts: SpeculationCounts) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Checked options; those without a default may be undefined. */
type CheckedOptions = ResolvedGenerateOptions & {
  readonly [Name in "maxTokens" | "maxThinkingTokens" | "seed" | "logitBias" | "stop"]:
    ResolvedGenerateOptions[Name] | undefined;
};

const optionNames = samplingTable.map(({ name }) => name);

/**
 * Checks all options and fills in the defaults, with a random seed.
 *
 * @param recommended defaults of the model's file.
 * @throws BitNetError INVALID_ARGUMENT naming the option, its value and the expected values.
 */
export function resolveGenerateOptions(
  options: InnerGenerateOptions = {},
  recommended: RecommendedSampling = {},
): ResolvedGenerateOptions {
  const resolved = checkOptions(options, recommended);
  const { grammar, jsonSchema, onSchemaWarnings } = options;
  if (grammar !== undefined || jsonSchema === undefined) return { ...resolved, grammar };
  return { ...resolved, grammar: jsonGrammar(jsonSchema, { isLoose: onSchemaWarnings !== undefined }) };
}

/**
 * As `resolveGenerateOptions`, with warnings. A schema is compiled in slices between which other events run.
 * So is the grammar's knowledge of the tokenizer.
 */
export async function resolveGenerateOptionsAsync(
  tokenizer: Tokenizer,
  options: InnerGenerateOptions = {},
  recommended: RecommendedSampling = {},
): Promise<ResolvedGenerateOptions> {
  const resolved = checkOptions(options, recommended);
  const { grammar, jsonSchema, onSchemaWarnings } = options;
  if (grammar !== undefined || jsonSchema === undefined) {
    await grammar?.prepare(tokenizer);
    return { ...resolved, grammar };
  }
  const found = await jsonGrammarAsync(jsonSchema, { isLoose: onSchemaWarnings !== undefined });
  if (found.warnings.length > 0) onSchemaWarnings?.(found.warnings);
  await found.prepare(tokenizer);
  return { ...resolved, grammar: found };
}

/** Checks all options except the schema. */
function checkOptions(
  options: InnerGenerateOptions,
  recommended: RecommendedSampling,
): Omit<ResolvedGenerateOptions, "grammar"> {
  const isObject = typeof options === "object" && options !== null;
  const inner = {
    grammar: undefined,
    shownTokens: undefined,
    createWatcher: undefined,
    thoughts: undefined,
  };
  const given = isObject ? { ...options, ...inner } : options;
  refuseUnknownOptions("generate", given, optionNames);
  const defaults: GenerateOptions = recommended;
  const resolved: Record<string, unknown> = {};
  for (const option of samplingTable) {
    const value = options[option.name] ?? defaults[option.name] ?? option.default;
    resolved[option.name] = value === undefined ? undefined : readers[option.kind](value, option);
  }
  // Each value came out of the reader of its kind.
  const known = resolved as unknown as CheckedOptions;
  const { thoughts } = options;
  if (known.maxThinkingTokens !== undefined && thoughts === undefined)
    throw invalidOption("maxThinkingTokens", known.maxThinkingTokens, "none outside of a chat");
  if (known.topLogprobs > 0 && !known.logprobs)
    throw invalidOption("topLogprobs", known.topLogprobs, "logprobs to be true with it");
  return {
    ...known,
    maxTokens: known.maxTokens ?? Infinity,
    maxThinkingTokens: known.maxThinkingTokens ?? Infinity,
    seed: known.seed ?? randomSeed(),
    logitBias: known.logitBias ?? new Map<number, number>(),
    stop: known.stop ?? [],
    shownTokens: options.shownTokens ?? [],
    createWatcher: options.createWatcher,
    thoughts: thoughts ?? undefined,
  };
}

type Reader = (value: unknown, option: SamplingOption) => unknown;

/** Checks a value by the kind of its option. @throws BitNetError INVALID_ARGUMENT. */
const readers: Readonly<Record<SamplingOption["kind"], Reader>> = {
  number: readNumber,
  integer: readNumber,
  boolean: expect((value) => typeof value === "boolean"),
  choice: expect((value, { choices }) => choices?.includes(String(value)) === true),
  strings: readStops,
  biases: readBiases,
  schema: (value) => value,
  callback: expect((value) => typeof value === "function"),
  signal: expect((value) => value instanceof AbortSignal),
};

function expect(accepts: (value: unknown, option: OtherOption) => boolean): Reader {
  return (value, option) => {
    if (!isNumberOption(option) && accepts(value, option)) return value;
    throw invalidOption(option.name, value, rangeText(option));
  };
}

function readNumber(value: unknown, option: SamplingOption): number {
  if (isNumberOption(option) && typeof value === "number" && isInRange(option, value)) return value;
  throw invalidOption(option.name, value, rangeText(option));
}

function readBiases(value: unknown, option: SamplingOption): ReadonlyMap<number, number> {
  const isPlain = Object.prototype.toString.call(value) === "[object Object]";
  if (!(value instanceof Map) && !isPlain) throw invalidOption(option.name, value, rangeText(option));
  const entries: Iterable<[unknown, unknown]> =
    value instanceof Map ? value : Object.entries(value as object);
  const biases = new Map<number, number>();
  for (const [key, bias] of entries) {
    const id = typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key;
    if (!isWhole(id, 0)) throw invalidOption(option.name, key, "token ids, whole numbers from 0");
    if (typeof bias !== "number" || !(Number.isFinite(bias) || bias === -Infinity)) {
      throw invalidOption(option.name, bias, `a number or -Infinity for token ${id}`);
    }
    biases.set(id, bias);
  }
  return biases;
}

function readStops(value: unknown, option: SamplingOption): readonly string[] {
  const list: unknown = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || list.length > maxStops) {
    throw invalidOption(option.name, value, rangeText(option));
  }
  return list.map((stop: unknown) => {
    if (typeof stop !== "string" || stop === "" || stop.length > maxStopLength) {
      throw invalidOption(option.name, stop, rangeText(option));
    }
    // A text stream never emits half a character, so such a string would never match.
    if (/\p{Surrogate}/u.test(stop)) {
      throw invalidOption(option.name, stop, "a string without halves of characters");
    }
    return stop;
  });
}
