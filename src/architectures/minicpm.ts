import type { Architecture } from "./description.js";

/**
 * MiniCPM and BitCPM4 (OpenBMB): a Llama with scaled embedding, residual branches and logits. Files older
 * than these keys rely on MiniCPM's defaults. Logits are divided by `logit_scale`, width / 256 in the
 * checkpoints.
 */
export const minicpm: Architecture = {
  names: ["minicpm"],
  decoder: {
    gate: "silu",
    pairing: "adjacent",
    biases: true,
    scales: (keys, { layers, width }) => ({
      embedding: keys.positive("embedding_scale", 12),
      residual: keys.positive("residual_scale", 1.4 / Math.sqrt(layers)),
      logits: 1 / keys.positive("logit_scale", width / 256),
    }),
  },
};
