import type { Config } from "../config.js";
import type { MetadataEntry } from "../metadata-list.js";

/**
 * How the checkpoints of one class of models become what its GGUF files are: a table of names and keys. What a family
 * leaves out, it does not need.
 */
export interface CheckpointFamily {
  /** Values of `architectures` in config.json. */
  readonly classes: readonly string[];
  /** What GGUF calls it; the prefix of its keys. */
  readonly architecture: string;
  /** Values of `hidden_act` that its graph has. */
  readonly activations: readonly string[];
  /** Parts of a layer: the checkpoint's path inside the layer → GGUF's name inside the block, both without ".weight". */
  readonly layerParts: ReadonlyMap<string, string>;
  /** Norms whose weights the checkpoint stores less 1: paths inside the layer, and "norm" for the last one. */
  readonly normsLessOne?: ReadonlySet<string>;
  /** GGUF has the rows of query and key heads in another order (row-order.ts). */
  readonly turnsNeighbours?: true;
  /** Its linear layers are ternary even where no quantization_config says so. */
  readonly ternary?: true;
  /** `tie_word_embeddings` where the file does not say. */
  readonly tied: boolean;
  /** `head_dim` where the file does not say; the width divided among the heads if left out. */
  readonly headSize?: number;
  /** `rope_theta` where the file does not say; 10000 if left out. */
  readonly ropeBase?: number;
  /**
   * Keys of this family alone, without the architecture's name, and refusals of what its graph does not have.
   * @throws BitNetError UNSUPPORTED_ARCHITECTURE, MODEL_INVALID
   */
  readonly ownKeys?: (config: Config) => readonly MetadataEntry[];
}

/** What the layers of nearly all decoders have. */
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
