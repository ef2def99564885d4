import { type CheckpointFamily, decoderParts } from "./family.js";

/**
 * The first open reproductions, bitnet_b1_58-large and -3B (1bitLLM): masters, made ternary by their own
 * modelling code.
 */
export const bitnet: CheckpointFamily = {
  classes: ["BitnetForCausalLM"],
  architecture: "bitnet",
  activations: ["silu"],
  layerParts: new Map([
    ...decoderParts,
    ["self_attn.inner_attn_ln", "attn_sub_norm"],
    ["mlp.ffn_layernorm", "ffn_sub_norm"],
  ]),
  ternary: true,
  tied: true,
  ownKeys(config) {
    // Other values are other models: 0 bits mean binary weights, and activations may stay unquantized.
    for (const [key, expected] of [
      ["weight_bits", 1],
      ["input_bits", 8],
    ] as const) {
      if (config.count(key, expected) === expected) continue;
      throw config.unsupported(
        "UNSUPPORTED_ARCHITECTURE",
        `"${key}" is ${config.count(key)}, and only ${expected} has a graph here`,
      );
    }
    return [];
  },
};
