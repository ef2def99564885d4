import type { GenerateOptions } from "./generate-options.js";

/**
 * One row per option of text generation. The resolver, the model file's recommendations, both servers'
 * schemas, the command line and the tables in the documentation read this table. After a change, `node
 * scripts/option-docs.mjs` writes the types in generate-options.ts and the documentation anew.
 */
export type SamplingOption = NumberOption | OtherOption;

interface OptionRow {
  readonly name: keyof GenerateOptions;
  /** One sentence, for `--help`, docstrings and documentation. */
  readonly about: string;
  /** More sentences, for docstrings only. */
  readonly details?: string;
  /** The default in words, if it is not a fixed value. */
  readonly defaultText?: string;
  /** Field of OpenAI's requests, or of programs that extend them. */
  readonly openai?: RequestField;
  /** Field of `options` in Ollama's requests. */
  readonly ollama?: RequestField;
  /** Flag of `bitnet run` and `bitnet chat`, with its placeholder. Some options are for one of them only. */
  readonly flags?: string;
}

/** An option whose value is a number. */
export interface NumberOption extends OptionRow, NumberRange {
  readonly kind: "number" | "integer";
  readonly default?: number;
  /** Key in a GGUF file, after "general.sampling.". The file's value replaces the default. */
  readonly ggufKey?: string;
  /**
   * In a GGUF file, a negative number means 0: llama.cpp writes it for greedy (temperature) and for "off"
   * (top-k).
   */
  readonly negativeIsZero?: true;
  /** Key in a checkpoint's generation_config.json. */
  readonly configKey?: string;
}

export interface OtherOption extends OptionRow {
  readonly kind: "boolean" | "choice" | "strings" | "biases" | "schema" | "callback" | "signal";
  readonly default?: string | boolean;
  readonly choices?: readonly string[];
  /** Of a callback: its parameter, with its type. */
  readonly parameter?: string;
}

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  /** Exclusive lower bound, instead of `min`. */
  readonly above?: number;
}

/** A request's field. Bounds replace those of the option; the server translates the values between them. */
export interface RequestField extends Pick<NumberRange, "min" | "max"> {
  readonly field: string;
  /** A second name of the field. It wins if a request has both. */
  readonly alias?: string;
}

/** Any whole number, negative ones included. */
const anySeed = { min: Number.MIN_SAFE_INTEGER } as const;

export const samplingTable: readonly SamplingOption[] = [
  {
    name: "maxTokens",
    kind: "integer",
    min: 1,
    defaultText: "as many as the context holds",
    openai: { field: "max_tokens", alias: "max_completion_tokens" },
    ollama: { field: "num_predict", min: -2 },
    flags: "-n, --max-tokens <count>",
    about: "Maximum number of tokens to write.",
  },
  {
    name: "maxThinkingTokens",
    kind: "integer",
    min: 0,
    defaultText: "none",
    openai: { field: "thinking_budget_tokens", alias: "thinking_token_budget", min: -1 },
    flags: "--max-thinking-tokens <count>",
    about: "Maximum number of tokens of a thought in a chat; then the model must answer.",
    details:
      "We write the end of the thought for the model. Prompts outside of a chat have no thoughts, so `generate` refuses it.",
  },
  {
    name: "temperature",
    kind: "number",
    min: 0,
    default: 0.8,
    ggufKey: "temp",
    negativeIsZero: true,
    configKey: "temperature",
    openai: { field: "temperature", max: 2 },
    ollama: { field: "temperature" },
    flags: "--temp <number>",
    about: "Randomness: 0 is greedy, 1 samples by the model's own probabilities.",
  },
  {
    name: "topK",
    kind: "integer",
    min: 0,
    default: 40,
    ggufKey: "top_k",
    negativeIsZero: true,
    configKey: "top_k",
    openai: { field: "top_k" },
    ollama: { field: "top_k" },
    flags: "--top-k <count>",
    about: "Sample from this many of the likeliest tokens; 0 is off.",
  },
  {
    name: "topP",
    kind: "number",
    min: 0,
    max: 1,
    default: 0.95,
    ggufKey: "top_p",
    configKey: "top_p",
    openai: { field: "top_p" },
    ollama: { field: "top_p" },
    flags: "--top-p <share>",
    about: "Sample from the likeliest tokens whose probabilities add up to this; 1 is off.",
  },
  {
    name: "minP",
    kind: "number",
    min: 0,
    max: 1,
    default: 0.05,
    ggufKey: "min_p",
    configKey: "min_p",
    openai: { field: "min_p" },
    ollama: { field: "min_p" },
    flags: "--min-p <share>",
    about: "Drop tokens less likely than this share of the likeliest token; 0 is off.",
  },
  {
    name: "repeatPenalty",
    kind: "number",
    above: 0,
    default: 1,
    ggufKey: "penalty_repeat",
    configKey: "repetition_penalty",
    openai: { field: "repeat_penalty" },
    ollama: { field: "repeat_penalty" },
    flags: "--repeat-penalty <factor>",
    about: "Divide the positive logits of recent tokens by this and multiply the negative ones; 1 is off.",
  },
  {
    name: "presencePenalty",
    kind: "number",
    min: -2,
    max: 2,
    default: 0,
    openai: { field: "presence_penalty" },
    ollama: { field: "presence_penalty" },
    flags: "--presence-penalty <number>",
    about: "Subtract this from the logit of every recent token.",
  },
  {
    name: "frequencyPenalty",
    kind: "number",
    min: -2,
    max: 2,
    default: 0,
    openai: { field: "frequency_penalty" },
    ollama: { field: "frequency_penalty" },
    flags: "--frequency-penalty <number>",
    about: "Subtract this from a token's logit once for each recent occurrence.",
  },
  {
    name: "repeatLastN",
    kind: "integer",
    min: -1,
    default: 64,
    ggufKey: "penalty_last_n",
    ollama: { field: "repeat_last_n" },
    flags: "--repeat-last-n <tokens>",
    about: "Number of recent tokens, prompt included, for the three penalties; 0 is off, -1 is all.",
  },
  {
    name: "logitBias",
    kind: "biases",
    defaultText: "none",
    openai: { field: "logit_bias", min: -100, max: 100 },
    flags: "--logit-bias <id=number>",
    about: "Add a number to the logit of a token, by token id; -Infinity forbids the token.",
    details: "An object from token ids to numbers, or a Map.",
  },
  {
    name: "seed",
    kind: "integer",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    defaultText: "random",
    openai: { field: "seed", ...anySeed },
    ollama: { field: "seed", ...anySeed },
    flags: "--seed <number>",
    about: "Random seed: the same model, prompt, options and seed give the same text.",
  },
  {
    name: "stop",
    kind: "strings",
    defaultText: "none",
    openai: { field: "stop" },
    ollama: { field: "stop" },
    flags: "--stop <text>",
    about: "End the text before any of these strings.",
  },
  {
    name: "parseSpecial",
    kind: "boolean",
    default: false,
    flags: "--special",
    about: "Read control tokens that are spelled in the prompt as tokens, not as text.",
    details:
      "For prompts that are already templated. BOS is not added to a prompt that spells it. Leave it off for text that " +
      "comes from users: it could end a turn. `chat.send` refuses it.",
  },
  {
    name: "showSpecial",
    kind: "boolean",
    default: false,
    flags: "--show-special",
    about: "Show control tokens in the text, except the token that ends it.",
    details: "`chat.send` refuses it.",
  },
  {
    name: "logprobs",
    kind: "boolean",
    default: false,
    flags: "--logprobs",
    about: "Add the log-probability of its token to every piece.",
    details: "Log-probabilities are the model's own, before any other option.",
  },
  {
    name: "topLogprobs",
    kind: "integer",
    min: 0,
    max: 20,
    default: 0,
    flags: "--top-logprobs <count>",
    about: "With log-probabilities: also add this many of the likeliest tokens to every piece.",
  },
  {
    name: "jsonSchema",
    kind: "schema",
    defaultText: "none",
    flags: "--json-schema <json>",
    about: "Write JSON that this JSON Schema accepts; true is any JSON.",
    details:
      "The schema is parsed JSON. The text is incomplete only if something else ends it: `maxTokens`, `stop`, the context. " +
      "docs/guide/json.md lists the supported keywords.",
  },
  {
    name: "onSchemaWarnings",
    kind: "callback",
    parameter: "warnings: readonly SchemaWarning[]",
    defaultText: "none: such keywords are refused",
    about:
      "Leaves out keywords of the schema that no grammar can keep to, and receives them before the text begins.",
    details:
      "The text may violate these keywords, so check it. Not called if every keyword is kept. An invalid schema is " +
      "refused anyway.",
  },
  {
    name: "speculation",
    kind: "choice",
    choices: ["auto", "off", "prompt-lookup"],
    default: "auto",
    flags: "--speculation <mode>",
    about: "Draft repetitions and check several tokens in one pass; the text is the same.",
    details:
      '"auto" drafts in greedy decoding without log-probabilities, as long as that is faster. "prompt-lookup" drafts wherever ' +
      'the text repeats itself, even if that is slower. "off" never drafts.',
  },
  {
    name: "onSpeculation",
    kind: "callback",
    parameter: "counts: SpeculationCounts",
    defaultText: "none",
    about: "Receives the numbers of drafted and accepted tokens once, when the text ends.",
    details:
      "Not called if nothing was drafted. The numbers depend on how busy the machine is, so pieces do not have them.",
  },
  {
    name: "signal",
    kind: "signal",
    defaultText: "none",
    about: "Stops the text when it fires.",
  },
];
