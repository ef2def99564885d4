import type { Architecture } from "./description.js";

/**
 * Qwen3 and its derivatives: Ternary Bonsai (PrismML), and BitNet-embedding-0.6B, which has a norm before
 * each projection.
 */
export const qwen3: Architecture = {
  names: ["qwen3"],
  decoder: { gate: "silu", pairing: "halves", headNorms: true, projectionNorms: true },
};
