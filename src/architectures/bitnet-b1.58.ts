import type { Architecture } from "./description.js";

/** BitNet b1.58 2B4T and related models (Microsoft): squared relu, sub-norms, tied head. */
export const bitnetB158: Architecture = {
  names: ["bitnet-b1.58", "bitnet-25"],
  decoder: { gate: "relu2", pairing: "halves", subNorms: true },
};
