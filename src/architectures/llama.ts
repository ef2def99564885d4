import type { Architecture } from "./description.js";

/**
 * Llama-shaped ternary models (Falcon3-1.58bit, Falcon-E, Llama3-8B-1.58, TriLM). GGUF permutes Q and K rows,
 * so pairs are adjacent.
 */
export const llama: Architecture = {
  names: ["llama"],
  decoder: { gate: "silu", pairing: "adjacent", biases: true },
};
