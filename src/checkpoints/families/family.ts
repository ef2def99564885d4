import type { Config } from "../config.js";
import type { MetadataEntry } from "../metadata-list.js";

/**
 * Maps the checkpoints of one class of models to GGUF: a table of names and keys. Families omit the parts
 * that they do not need.
 */
export interface CheckpointFamily {
  /** Values of `architectures` in config.json. */
  readonly classes: readonly string[];
  /** GGUF's name for it, and the prefix of its keys. */
  readonly architecture: string;
  /** Values of `hidden_act` that its graph supports. */
  readonly activations: readonly string[];
  /**
   * Parts of a layer: the checkpoint's path inside the layer → GGUF's name inside the block, both without
   * ".weight".
   */
  readonly layerParts: ReadonlyMap<string, string>;
  /** Norms that the checkpoint stores minus 1: paths inside the layer, and "norm" for the last one. */
  readonly normsLessOne?: ReadonlySet<string>;
  /** GGUF has the rows of query and key heads in another order (row-order.ts). */
  readonly turnsNeighbours?: true;
  /** Its linear layers are ternary even without a quantization_config. */
  readonly ternary?: true;
  /** Default of `tie_word_embeddings`. */
  readonly tied: boolean;
  /** Default of `head_dim`. Without one, the width divided by the number of heads. */
  readonly headSize?: number;
  /** Default of `rope_theta`. Without one, 10000. */
  readonly ropeBase?: number;
  /**
   * Keys of this family alone, without the architecture's name. Refuses traits that its graph lacks.
   * @throws BitNetError UNSUPPORTED_ARCHITECTURE, MODEL_INVALID
   */
  readonly ownKeys?: (config: Config) => readonly MetadataEntry[];
}

/** The layer parts of nearly all decoders. */
export const decoderParts: readonly (readonly [string, string])[] = [
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["post_attention_layernorm", "ffn_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
];

/** Norms of each head's queries and keys. */
export const headNormParts: readonly (readonly [string, string])[] = [
  ["self_attn.q_norm", "attn_q_norm"],
  ["self_attn.k_norm", "attn_k_norm"],
];
