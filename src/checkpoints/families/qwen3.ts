import { type CheckpointFamily, decoderParts, headNormParts } from "./family.js";
import { refuseSlidingWindows } from "./qwen2.js";

/** Qwen3 and its derivatives: Bonsai (PrismML), BitNet-embedding-0.6B (Microsoft). */
export const qwen3: CheckpointFamily = {
  classes: ["Qwen3ForCausalLM", "Qwen3Model"],
  architecture: "qwen3",
  activations: ["silu"],
  layerParts: new Map([...decoderParts, ...headNormParts]),
  tied: false,
  headSize: 128,
  ownKeys: refuseSlidingWindows,
};
