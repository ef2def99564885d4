/**
 * Options of text generation. Every option is optional. A model file can recommend values
 * (`model.info.sampling`); they replace the defaults here.
 */
// The members are written by scripts/option-docs.mjs from sampling-table.ts.
export interface GenerateOptions {
  // options: members
  /** Maximum number of tokens to write. A whole number from 1. Default: as many as the context holds. */
  readonly maxTokens?: number | undefined;
  /**
   * Maximum number of tokens of a thought in a chat; then the model must answer. A whole number from 0. We
   * write the end of the thought for the model. Prompts outside of a chat have no thoughts, so `generate`
   * refuses it. Default: none.
   */
  readonly maxThinkingTokens?: number | undefined;
  /**
   * Randomness: 0 is greedy, 1 samples by the model's own probabilities. A number from 0. Default: the
   * model's, else 0.8.
   */
  readonly temperature?: number | undefined;
  /**
   * Sample from this many of the likeliest tokens; 0 is off. A whole number from 0. Default: the model's,
   * else 40.
   */
  readonly topK?: number | undefined;
  /**
   * Sample from the likeliest tokens whose probabilities add up to this; 1 is off. A number from 0 to 1.
   * Default: the model's, else 0.95.
   */
  readonly topP?: number | undefined;
  /**
   * Drop tokens less likely than this share of the likeliest token; 0 is off. A number from 0 to 1. Default:
   * the model's, else 0.05.
   */
  readonly minP?: number | undefined;
  /**
   * Divide the positive logits of recent tokens by this and multiply the negative ones; 1 is off. A number
   * above 0. Default: the model's, else 1.
   */
  readonly repeatPenalty?: number | undefined;
  /** Subtract this from the logit of every recent token. A number from -2 to 2. Default: 0. */
  readonly presencePenalty?: number | undefined;
  /**
   * Subtract this from a token's logit once for each recent occurrence. A number from -2 to 2. Default: 0.
   */
  readonly frequencyPenalty?: number | undefined;
  /**
   * Number of recent tokens, prompt included, for the three penalties; 0 is off, -1 is all. A whole number
   * from -1. Default: the model's, else 64.
   */
  readonly repeatLastN?: number | undefined;
  /**
   * Add a number to the logit of a token, by token id; -Infinity forbids the token. An object from token ids
   * to numbers, or a Map. Default: none.
   */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
  /**
   * Random seed: the same model, prompt, options and seed give the same text. A whole number from 0 to 2^53
   * − 1. Default: random.
   */
  readonly seed?: number | undefined;
  /**
   * End the text before any of these strings. A string or an array of at most 64 strings, each of 1 to 4096
   * characters. Default: none.
   */
  readonly stop?: string | readonly string[] | undefined;
  /**
   * Read control tokens that are spelled in the prompt as tokens, not as text. For prompts that are already
   * templated. BOS is not added to a prompt that spells it. Leave it off for text that comes from users: it
   * could end a turn. `chat.send` refuses it. Default: false.
   */
  readonly parseSpecial?: boolean | undefined;
  /**
   * Show control tokens in the text, except the token that ends it. `chat.send` refuses it. Default: false.
   */
  readonly showSpecial?: boolean | undefined;
  /**
   * Add the log-probability of its token to every piece. Log-probabilities are the model's own, before any
   * other option. Default: false.
   */
  readonly logprobs?: boolean | undefined;
  /**
   * With log-probabilities: also add this many of the likeliest tokens to every piece. A whole number from 0
   * to 20. Default: 0.
   */
  readonly topLogprobs?: number | undefined;
  /**
   * Write JSON that this JSON Schema accepts; true is any JSON. The schema is parsed JSON. The text is
   * incomplete only if something else ends it: `maxTokens`, `stop`, the context. docs/guide/json.md lists
   * the supported keywords. Default: none.
   */
  readonly jsonSchema?: unknown;
  /**
   * Leaves out keywords of the schema that no grammar can keep to, and receives them before the text begins.
   * The text may violate these keywords, so check it. Not called if every keyword is kept. An invalid schema
   * is refused anyway. Default: none: such keywords are refused.
   */
  readonly onSchemaWarnings?: ((warnings: readonly SchemaWarning[]) => void) | undefined;
  /**
   * Draft repetitions and check several tokens in one pass; the text is the same. "auto" drafts in greedy
   * decoding without log-probabilities, as long as that is faster. "prompt-lookup" drafts wherever the text
   * repeats itself, even if that is slower. "off" never drafts. Default: auto.
   */
  readonly speculation?: "auto" | "off" | "prompt-lookup" | undefined;
  /**
   * Receives the numbers of drafted and accepted tokens once, when the text ends. Not called if nothing was
   * drafted. The numbers depend on how busy the machine is, so pieces do not have them. Default: none.
   */
  readonly onSpeculation?: ((counts: SpeculationCounts) => void) | undefined;
  /** Stops the text when it fires. Default: none. */
  readonly signal?: AbortSignal | undefined;
  // options: end
}

// options: recommended
/**
 * The values that a model file recommends. They are the defaults of the options that a caller does not
 * give.
 */
export type RecommendedSampling = Pick<
  GenerateOptions,
  "temperature" | "topK" | "topP" | "minP" | "repeatPenalty" | "repeatLastN"
>;
// options: end

/** Numbers of drafted tokens in one text. */
export interface SpeculationCounts {
  /** Tokens that were drafted and checked. */
  readonly draftedTokens: number;
  /** Drafted tokens that are in the text. */
  readonly acceptedTokens: number;
}

/** When to draft tokens; see `GenerateOptions.speculation`. */
export type Speculation = NonNullable<GenerateOptions["speculation"]>;

/** A keyword of a JSON schema that the written text may violate. */
export interface SchemaWarning {
  /** The schema with the keyword: its path in the whole schema, such as "#/properties/name". */
  readonly path: string;
  /** The keyword that is left out, such as "contains". */
  readonly keyword: string;
  /** Why no grammar can keep to it. */
  readonly message: string;
}
