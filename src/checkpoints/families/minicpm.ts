import { type CheckpointFamily, decoderParts } from "./family.js";

/** MiniCPM and BitCPM4 (OpenBMB). */
export const minicpm: CheckpointFamily = {
  classes: ["MiniCPMForCausalLM"],
  architecture: "minicpm",
  activations: ["silu"],
  layerParts: new Map(decoderParts),
  turnsNeighbours: true,
  tied: true,
  ownKeys(config) {
    const depth = config.positive("scale_depth", 1);
    return [
      ["embedding_scale", "float32", config.positive("scale_emb", 1)],
      ["residual_scale", "float32", Math.fround(depth / Math.sqrt(config.count("num_hidden_layers")))],
      [
        "logit_scale",
        "float32",
        Math.fround(config.count("hidden_size") / config.positive("dim_model_base", 1)),
      ],
    ];
  },
};
