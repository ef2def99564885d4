import { type CheckpointFamily, decoderParts } from "./family.js";

/** Llama and models of its shape: Falcon3-1.58bit, Falcon-E, Llama3-8B-1.58. */
export const llama: CheckpointFamily = {
  classes: ["LlamaForCausalLM"],
  architecture: "llama",
  activations: ["silu"],
  layerParts: new Map(decoderParts),
  turnsNeighbours: true,
  tied: false,
};
