import type { Architecture } from "./description.js";

/** Qwen2 and Qwen2.5: biases on queries, keys and values. */
export const qwen2: Architecture = {
  names: ["qwen2"],
  decoder: { gate: "silu", pairing: "halves", biases: true },
};
