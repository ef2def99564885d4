import type { Architecture } from "./description.js";

/** Qwen3 and what is made of it: Ternary Bonsai (PrismML), and with a norm before each projection BitNet-embedding-0.6B. */
export const qwen3: Architecture = {
  names: ["qwen3"],
  decoder: { gate: "silu", pairing: "halves", headNorms: true, projectionNorms: true },
};
