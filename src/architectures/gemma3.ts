import type { Architecture } from "./description.js";

/** The largest Gemma 3, of 27B, scales q · k by its width per head. The others scale by their heads' size. */
const layersOf27B = 62;

/**
 * Gemma 3 (Google), and BitNet-embedding-270M, which has a norm before each projection. GGUF files store
 * norms with Gemma's 1 added. In a file without a sliding window, all layers see everything and rotate alike,
 * as in llama.cpp.
 */
export const gemma3: Architecture = {
  names: ["gemma3"],
  decoder: {
    gate: "gelu",
    pairing: "halves",
    headNorms: true,
    postNorms: true,
    projectionNorms: true,
    slidingWindow: { period: 6, base: 10000 },
    scales: (keys, { layers, width, heads, headSize }) => ({
      embedding: Math.sqrt(width),
      attention:
        1 /
        Math.sqrt(
          keys.positive(
            "attention.query_pre_attn_scalar",
            layers === layersOf27B ? Math.floor(width / heads) : headSize,
          ),
        ),
    }),
  },
};
