import { BitNetError } from "../errors.js";
import type { Grammar } from "../grammar/grammar.js";
import { jsonGrammar } from "../grammar/json-grammar.js";
import { randomSeed } from "./sampling/random.js";
import type { RecommendedSampling } from "./recommended-sampling.js";

/**
 * How a text is to be written. Every option may be left out. Where a model's file recommends something (`model.info.sampling`), that
 * is the default instead of the number given here.
 */
export interface GenerateOptions {
  /** Most tokens to write, from 1; by default as many as the context holds. */
  readonly maxTokens?: number | undefined;
  /** How much chance there is, from 0: 0 always takes the likeliest token, 1 draws by the model's own probabilities. Default 0.8. */
  readonly temperature?: number | undefined;
  /** Draw from this many of the likeliest tokens only; 0 is off. Default 40. */
  readonly topK?: number | undefined;
  /** Draw from the fewest tokens that together have this probability, 0 to 1; 1 is off. Default 0.95. */
  readonly topP?: number | undefined;
  /** Leave out tokens less likely than this share of the likeliest one, 0 to 1; 0 is off. Default 0.05. */
  readonly minP?: number | undefined;
  /** Divides the positive and multiplies the negative logits of tokens in the recent text, above 0; 1 is off. Default 1. */
  readonly repeatPenalty?: number | undefined;
  /** Taken off the logit of every token in the recent text, −2 to 2. Default 0. */
  readonly presencePenalty?: number | undefined;
  /** Taken off the logit of a token once for each time it is in the recent text, −2 to 2. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** How many tokens back, prompt included, the three penalties look; 0 is off, −1 is all. Default 64. */
  readonly repeatLastN?: number | undefined;
  /** Added to the logits of single tokens, by token id; −Infinity forbids one. */
  readonly logitBias?: ReadonlyMap<number, number> | undefined;
  /** A whole number from 0 to 2^53 − 1. The same model, prompt, options and seed give the same text. Default: by chance. */
  readonly seed?: number | undefined;
  /** The text ends where one of these would begin; none of it is given out. */
  readonly stop?: string | readonly string[] | undefined;
  /** Give every piece its token's log-probability. Default false. */
  readonly logprobs?: boolean | undefined;
  /** With `logprobs`: give every piece this many of the likeliest tokens, too, 0 to 20. Default 0. */
  readonly topLogprobs?: number | undefined;
  /**
   * The text is JSON that this JSON Schema accepts, given as parsed JSON; `true` is any JSON. It can only be incomplete where
   * something else ends it: `maxTokens`, `stop`, the context. What of a schema can be kept to is in docs/guide/json.md.
   */
  readonly jsonSchema?: unknown;
  /**
   * Whether to guess how the text goes on where it repeats the prompt or itself, and to check several tokens in one pass. It
   * changes how fast the text comes and nothing else. "auto" (default) does so in greedy decoding without log-probabilities,
   * while it pays; "prompt-lookup" wherever there is something to guess from, even where it is slower; "off" never.
   */
  readonly speculation?: Speculation | undefined;
  /**
   * Told once, when the text has ended or is left, how drafts fared; not at all where there were none. Pieces do not say it:
   * they are the same each time, and how much is drafted depends on how busy the machine is.
   */
  readonly onSpeculation?: ((counts: SpeculationCounts) => void) | undefined;
  /** Stops the writing. */
  readonly signal?: AbortSignal | undefined;
}

/** Guesses about a text, and what became of them. */
export interface SpeculationCounts {
  /** Tokens that were guessed and checked. */
  readonly draftedTokens: number;
  /** Those of them that are in the text. */
  readonly acceptedTokens: number;
}

export const speculations = ["auto", "off", "prompt-lookup"] as const;
export type Speculation = (typeof speculations)[number];

/** The part that a sampler reads, nothing left out. */
export interface SamplerOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repeatPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly repeatLastN: number;
  readonly logitBias: ReadonlyMap<number, number>;
  readonly logprobs: boolean;
  readonly topLogprobs: number;
}

/** Options of the library's own parts. */
export interface InnerGenerateOptions extends GenerateOptions {
  /** What the text must be; instead of `jsonSchema`. */
  readonly grammar?: Grammar | undefined;
}

/** Checked options, defaults filled in. */
export interface ResolvedGenerateOptions extends SamplerOptions {
  /** Infinity where the context alone is the limit. */
  readonly maxTokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly grammar: Grammar | undefined;
  readonly speculation: Speculation;
  readonly onSpeculation: ((counts: SpeculationCounts) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const MAX_STOPS = 64;
const MAX_STOP_LENGTH = 4096;

/**
 * Checks every option and fills in the defaults, a random seed among them.
 * @param recommended - the model's own defaults.
 * @throws `INVALID_ARGUMENT` naming the option, its value and what it may be.
 */
export function resolveGenerateOptions(
  options: InnerGenerateOptions = {},
  recommended: RecommendedSampling = {},
): ResolvedGenerateOptions {
  if (typeof options !== "object" || options === null) throw invalid("options", options, "an object");
  return {
    maxTokens: options.maxTokens === undefined ? Infinity : whole("maxTokens", options.maxTokens, 1),
    temperature: number(
      "temperature",
      options.temperature ?? recommended.temperature ?? 0.8,
      (value) => value >= 0,
      "a number from 0",
    ),
    topK: whole("topK", options.topK ?? recommended.topK ?? 40, 0),
    topP: fraction("topP", options.topP ?? recommended.topP ?? 0.95),
    minP: fraction("minP", options.minP ?? recommended.minP ?? 0.05),
    repeatPenalty: number(
      "repeatPenalty",
      options.repeatPenalty ?? recommended.repeatPenalty ?? 1,
      (value) => value > 0,
      "a number above 0",
    ),
    presencePenalty: penalty("presencePenalty", options.presencePenalty ?? 0),
    frequencyPenalty: penalty("frequencyPenalty", options.frequencyPenalty ?? 0),
    repeatLastN: whole("repeatLastN", options.repeatLastN ?? recommended.repeatLastN ?? 64, -1),
    logitBias: biases(options.logitBias ?? new Map<number, number>()),
    seed: options.seed === undefined ? randomSeed() : whole("seed", options.seed, 0),
    stop: stops(options.stop ?? []),
    logprobs: flag("logprobs", options.logprobs ?? false),
    topLogprobs: whole("topLogprobs", options.topLogprobs ?? 0, 0, 20),
    grammar:
      options.grammar ?? (options.jsonSchema === undefined ? undefined : jsonGrammar(options.jsonSchema)),
    speculation: speculation(options.speculation ?? "auto"),
    onSpeculation: callback("onSpeculation", options.onSpeculation),
    signal: abortSignal(options.signal),
  };
}

function number(name: string, value: number, accepts: (value: number) => boolean, range: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || !accepts(value))
    throw invalid(name, value, range);
  return value;
}

function whole(name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const range = `a whole number from ${min} to ${max === Number.MAX_SAFE_INTEGER ? "2^53 − 1" : max}`;
  const fits = (candidate: number): boolean =>
    Number.isSafeInteger(candidate) && candidate >= min && candidate <= max;
  return number(name, value, fits, range);
}

function fraction(name: string, value: number): number {
  return number(name, value, (candidate) => candidate >= 0 && candidate <= 1, "a number from 0 to 1");
}

function penalty(name: string, value: number): number {
  return number(name, value, (candidate) => candidate >= -2 && candidate <= 2, "a number from -2 to 2");
}

function flag(name: string, value: boolean): boolean {
  if (typeof value !== "boolean") throw invalid(name, value, "true or false");
  return value;
}

function biases(value: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  if (!((value as unknown) instanceof Map))
    throw invalid("logitBias", value, "a Map from token ids to numbers");
  for (const [id, bias] of value) {
    whole("logitBias token id", id, 0);
    if (bias !== -Infinity) number(`logitBias of token ${id}`, bias, () => true, "a number or -Infinity");
  }
  return value;
}

function stops(value: string | readonly string[]): readonly string[] {
  const list: readonly string[] = typeof value === "string" ? [value] : value;
  const isList: boolean = Array.isArray(list);
  if (!isList || list.length > MAX_STOPS) {
    throw invalid("stop", value, `a string or an array of at most ${MAX_STOPS} strings`);
  }
  for (const stop of list) {
    if (typeof stop !== "string" || stop === "" || stop.length > MAX_STOP_LENGTH) {
      throw invalid("stop", stop, `a string of 1 to ${MAX_STOP_LENGTH} characters`);
    }
    // Half a character never comes out of a text stream, so such a string would wait for ever.
    if (/\p{Surrogate}/u.test(stop)) throw invalid("stop", stop, "a string without halves of characters");
  }
  return [...list];
}

function speculation(value: Speculation): Speculation {
  if (speculations.includes(value)) return value;
  throw invalid("speculation", value, speculations.map((name) => `"${name}"`).join(", "));
}

function callback<T>(name: string, value: T): T {
  if (value !== undefined && typeof value !== "function") throw invalid(name, value, "a function");
  return value;
}

function abortSignal(value: AbortSignal | undefined): AbortSignal | undefined {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw invalid("signal", value, "an AbortSignal");
  return value;
}

function invalid(name: string, value: unknown, range: string): BitNetError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
  return new BitNetError("INVALID_ARGUMENT", `Invalid option ${name}: ${shown} (expected ${range})`, {
    details: { option: name, value },
  });
}
