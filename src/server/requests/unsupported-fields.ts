import { type FieldRules, isGiven, isOther, type Refusal, refuseAll } from "./field-rules.js";

/** Fields of other servers that choose tokens in ways that this library does not have. */
export const unsupportedSampling: Readonly<Record<string, Refusal>> = {
  repetition_penalty: { asks: isOther(1), advice: "use repeat_penalty" },
  mirostat: { asks: isOther(0), advice: "use temperature, top_k, top_p or min_p" },
  typical_p: { asks: isOther(1), advice: "use top_p or min_p" },
  tfs_z: { asks: isOther(1), advice: "use top_p or min_p" },
  top_a: { asks: isOther(0), advice: "use min_p" },
  top_n_sigma: { asks: isOther(-1, 0), advice: "use min_p" },
  xtc_probability: { asks: isOther(0), advice: "leave it out" },
  dry_multiplier: { asks: isOther(0), advice: "use frequency_penalty" },
  dynatemp_range: { asks: isOther(0), advice: "use temperature" },
  min_tokens: { asks: isOther(0), advice: "leave it out" },
  ...refuseAll(["ignore_eos", "stop_token_ids", "bad_words", "allowed_token_ids"], {
    asks: isGiven,
    advice: "use logit_bias or stop",
  }),
  ...refuseAll(["use_beam_search", "samplers", "prompt_logprobs", "n_probs"], {
    asks: isOther(0),
    advice: "leave it out",
  }),
};

/** Fields of llama.cpp's server and of vLLM that constrain the text by something else than a JSON schema. */
export const unsupportedGrammars: Readonly<Record<string, Refusal>> = refuseAll(
  [
    "grammar",
    "guided_grammar",
    "guided_regex",
    "guided_choice",
    "response_format.grammar",
    "structured_outputs.grammar",
    "structured_outputs.regex",
    "structured_outputs.choice",
    "structured_outputs.structural_tag",
  ],
  { asks: isGiven, advice: "give a JSON schema in response_format" },
);

/** The objects whose every field decides about the text. */
export const closedObjects: NonNullable<FieldRules["objects"]> = {
  response_format: ["type", "schema", "json_schema"],
  structured_outputs: ["json", "json_object"],
};

/** Fields that say who asks, how an answer is kept, or how other servers work. */
export const harmlessFields: readonly string[] = [
  // Text generation web UI's clients send it. It is no misspelt "model".
  "mode",
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "prediction",
  "cache_prompt",
  "id_slot",
  "timings_per_token",
  "return_progress",
  "return_tokens",
  "priority",
  "request_id",
  "models",
  "provider",
  "guided_decoding_backend",
];

/** Embeddings depend on the texts only. */
export const embeddingRules: FieldRules = {
  harmless: ["user", "options"],
  refused: {
    truncate_prompt_tokens: { asks: isOther(-1), advice: "split long texts" },
    input_type: { asks: isGiven, advice: "put the model's prefix before each text" },
    embd_normalize: { asks: isOther(2), advice: "vectors always have the length 1" },
  },
};
