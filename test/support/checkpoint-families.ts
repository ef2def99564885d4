import type { Metadata, ModelFile } from "#dist/files/model-file.js";

/** A family's checkpoint names of GGUF tensors, independent of src/checkpoints/families. */
export interface ExportFamily {
  readonly className: string;
  readonly activation: string;
  /** GGUF's part of a block → the path inside a layer. */
  readonly parts: Readonly<Record<string, string>>;
  readonly turnsNeighbours: boolean;
  /** GGUF's tensors that checkpoints store less 1. */
  readonly normsLessOne: RegExp;
  readonly ownConfig?: (get: (key: string) => unknown) => Record<string, unknown>;
}

const never = /^$/;

const decoder = {
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const headNorms = { attn_q_norm: "self_attn.q_norm", attn_k_norm: "self_attn.k_norm" };

const families: Readonly<Record<string, ExportFamily>> = {
  "bitnet-b1.58": {
    className: "BitNetForCausalLM",
    activation: "relu2",
    parts: { ...decoder, attn_sub_norm: "self_attn.attn_sub_norm", ffn_sub_norm: "mlp.ffn_sub_norm" },
    turnsNeighbours: false,
    normsLessOne: never,
  },
  bitnet: {
    className: "BitnetForCausalLM",
    activation: "silu",
    parts: { ...decoder, attn_sub_norm: "self_attn.inner_attn_ln", ffn_sub_norm: "mlp.ffn_layernorm" },
    turnsNeighbours: false,
    normsLessOne: never,
    ownConfig: () => ({ weight_bits: 1, input_bits: 8 }),
  },
  llama: {
    className: "LlamaForCausalLM",
    activation: "silu",
    parts: decoder,
    turnsNeighbours: true,
    normsLessOne: never,
  },
  qwen2: {
    className: "Qwen2ForCausalLM",
    activation: "silu",
    parts: decoder,
    turnsNeighbours: false,
    normsLessOne: never,
    ownConfig: () => ({ use_sliding_window: false, sliding_window: 4096 }),
  },
  qwen3: {
    className: "Qwen3ForCausalLM",
    activation: "silu",
    parts: { ...decoder, ...headNorms },
    turnsNeighbours: false,
    normsLessOne: never,
  },
  minicpm: {
    className: "MiniCPMForCausalLM",
    activation: "silu",
    parts: decoder,
    turnsNeighbours: true,
    normsLessOne: never,
    ownConfig: (get) => {
      const layers = Number(get("block_count"));
      const width = Number(get("embedding_length"));
      return {
        scale_emb: get("embedding_scale") ?? 12,
        scale_depth: Number(get("residual_scale") ?? 1.4 / Math.sqrt(layers)) * Math.sqrt(layers),
        dim_model_base: width / Number(get("logit_scale") ?? width / 256),
      };
    },
  },
  gemma3: {
    className: "Gemma3ForCausalLM",
    activation: "gelu_pytorch_tanh",
    parts: {
      ...decoder,
      ...headNorms,
      ffn_norm: "pre_feedforward_layernorm",
      post_attention_norm: "post_attention_layernorm",
      post_ffw_norm: "post_feedforward_layernorm",
    },
    turnsNeighbours: false,
    normsLessOne:
      /(^output_norm|attn_norm|ffn_norm|_q_norm|_k_norm|post_attention_norm|post_ffw_norm)\.weight$/,
    ownConfig: (get) => {
      const window = get("attention.sliding_window");
      // Without a key, layers have transformers' own windows.
      const none = Array.from({ length: Number(get("block_count")) }, () => false);
      const pattern = window === undefined ? none : get("attention.sliding_window_pattern");
      return {
        hidden_act: null,
        hidden_activation: "gelu_pytorch_tanh",
        query_pre_attn_scalar: get("attention.query_pre_attn_scalar") ?? get("attention.key_length") ?? 16,
        sliding_window: window ?? null,
        rope_local_base_freq: get("rope.freq_base_swa") ?? 10000,
        attn_logit_softcapping: null,
        ...(Array.isArray(pattern)
          ? {
              layer_types: (pattern as readonly boolean[]).map((slides) =>
                slides ? "sliding_attention" : "full_attention",
              ),
            }
          : { sliding_window_pattern: pattern ?? 6 }),
      };
    },
  },
};

export function familyOf(metadata: Metadata): ExportFamily {
  const found = families[String(metadata.get("general.architecture"))];
  if (found === undefined) throw new Error("no family for this architecture");
  return found;
}

export function headSizeOf(metadata: Metadata): number {
  const get = (key: string): unknown =>
    metadata.get(`${String(metadata.get("general.architecture"))}.${key}`);
  const shared = Number(get("embedding_length")) / Number(get("attention.head_count"));
  return Number(get("attention.key_length") ?? shared);
}

export function checkpointName(name: string, family: ExportFamily): string {
  if (name === "token_embd.weight") return "model.embed_tokens.weight";
  if (name === "output_norm.weight") return "model.norm.weight";
  if (name === "output.weight") return "lm_head.weight";
  const [, layer, part = "", kind] = /^blk\.(\d+)\.(.*)\.(weight|bias)$/.exec(name) ?? [];
  const own = part.endsWith("_norm_in");
  const path = family.parts[own ? part.slice(0, -"_norm_in".length) : part];
  if (layer === undefined || path === undefined) throw new Error(`no name for ${name}`);
  return `model.layers.${layer}.${path}${own ? ".rms_norm" : ""}.${kind ?? ""}`;
}

/** `rope_scaling` of config.json. */
export async function exportRopeScaling({ metadata, tensors }: ModelFile): Promise<unknown> {
  const get = (key: string): unknown =>
    metadata.get(`${String(metadata.get("general.architecture"))}.rope.scaling.${key}`);
  const factor = get("factor") as number | undefined;
  const original = get("original_context_length");
  const numbers = async (name: string): Promise<readonly number[]> => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`no ${name}`);
    return [...new Float32Array((await tensor.source.read(tensor.offset, tensor.bytes)).buffer)];
  };
  switch (get("type")) {
    case undefined:
    case "none":
      return null;
    case "linear":
      return { type: "linear", factor };
    case "yarn":
      return { rope_type: "yarn", factor, original_max_position_embeddings: original };
    case "longrope":
      return {
        rope_type: "longrope",
        original_max_position_embeddings: original,
        attention_factor: get("attn_factor") ?? 1,
        long_factor: await numbers("rope_factors_long.weight"),
        short_factor: await numbers("rope_factors_short.weight"),
      };
    default:
      throw new Error("no scaling of this type");
  }
}
