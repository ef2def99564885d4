import type { Config } from "../config.js";
import type { MetadataEntry } from "../metadata-list.js";
import { type CheckpointFamily, decoderParts, headNormParts } from "./family.js";

/**
 * In every group of this many layers all but the last have a window, unless the file names another pattern.
 */
const defaultPeriod = 6;

/** Gemma 3 for text (Google), and BitNet-embedding-270M (Microsoft). */
export const gemma3: CheckpointFamily = {
  classes: ["Gemma3ForCausalLM", "Gemma3TextModel"],
  architecture: "gemma3",
  activations: ["gelu_pytorch_tanh"],
  layerParts: new Map([
    ...decoderParts,
    ...headNormParts,
    // In Gemma, the name of others' norm before the feed-forward part is the norm after attention.
    ["post_attention_layernorm", "post_attention_norm"],
    ["pre_feedforward_layernorm", "ffn_norm"],
    ["post_feedforward_layernorm", "post_ffw_norm"],
  ]),
  normsLessOne: new Set([
    "norm",
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
    "self_attn.q_norm",
    "self_attn.k_norm",
  ]),
  tied: true,
  headSize: 256,
  ropeBase: 1_000_000,
  ownKeys(config) {
    for (const key of ["attn_logit_softcapping", "final_logit_softcapping"]) {
      if (config.has(key)) throw config.unsupported("UNSUPPORTED_ARCHITECTURE", `"${key}" has no graph here`);
    }
    if (config.flag("use_bidirectional_attention", { default: false })) {
      throw config.unsupported("UNSUPPORTED_ARCHITECTURE", "attention that looks ahead has no graph here");
    }
    const scalar = config.has("query_pre_attn_scalar") ? config.positive("query_pre_attn_scalar") : undefined;
    return [
      ...(scalar === undefined ? [] : ([["attention.query_pre_attn_scalar", "float32", scalar]] as const)),
      ...slidingWindowKeys(config),
    ];
  },
};

/** The window of transformers' Gemma3TextConfig for a file that names none. */
const defaultWindow = 4096;

function slidingWindowKeys(config: Config): readonly MetadataEntry[] {
  const slides = config.list("layer_types").map((type) => {
    if (type === "sliding_attention" || type === "full_attention") return type === "sliding_attention";
    throw config.wrong("layer_types", '"sliding_attention" or "full_attention" for each layer');
  });
  if (slides.length > 0 && !slides.includes(true)) return [];
  // An explicit null means no window. Layers keep their own rotary base, so the window is the whole context.
  const isUnlimited = config.keys().includes("sliding_window") && !config.has("sliding_window");
  const window = isUnlimited
    ? config.count("max_position_embeddings")
    : config.count("sliding_window", defaultWindow);
  const local = config.object("rope_parameters")?.object("sliding_attention");
  const base = local?.positive("rope_theta", 10_000) ?? config.positive("rope_local_base_freq", 10_000);
  const keys: MetadataEntry[] = [
    ["attention.sliding_window", "uint32", window],
    ["rope.freq_base_swa", "float32", base],
  ];
  const period = config.count("sliding_window_pattern", defaultPeriod);
  if (slides.some((slide, layer) => slide !== layer % defaultPeriod < defaultPeriod - 1)) {
    keys.push(["attention.sliding_window_pattern", "bool[]", slides]);
  } else if (slides.length === 0 && period !== defaultPeriod) {
    keys.push(["attention.sliding_window_pattern", "uint32", period]);
  }
  return keys;
}
