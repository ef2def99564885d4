import type { Architecture } from "./description.js";

/** The first open reproductions, bitnet_b1_58-large and -3B (1bitLLM): sub-norms, but SiLU. */
export const bitnet: Architecture = {
  names: ["bitnet"],
  decoder: { gate: "silu", pairing: "halves", subNorms: true },
};
