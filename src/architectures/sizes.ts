import type { ModelFile } from "../files/model-file.js";
import type { ArchitectureKeys, ModelSizes } from "./description.js";
import { invalid } from "./metadata.js";

/**
 * Reads and checks a decoder's sizes. Limits are far above any published model, and keep products of sizes
 * exact.
 */
export function readSizes(file: ModelFile, keys: ArchitectureKeys): ModelSizes {
  const heads = keys.count("attention.head_count", { min: 1, max: 4096 });
  const kvHeads = keys.count("attention.head_count_kv", { min: 1, max: 4096, fallback: heads });
  const width = keys.count("embedding_length", { min: 32, max: 1 << 20 });
  // Heads need not divide the width: Falcon3's and Gemma's are wider, and files say so.
  const headSize = keys.count("attention.key_length", {
    min: 4,
    max: 4096,
    fallback: Math.floor(width / heads),
  });
  const valueSize = keys.count("attention.value_length", { min: 4, max: 4096, fallback: headSize });
  const embedding = file.tensors.get("token_embd.weight");
  const sizes: ModelSizes = {
    layers: keys.count("block_count", { min: 1, max: 4096 }),
    width,
    feedForward: keys.count("feed_forward_length", { min: 32, max: 1 << 22 }),
    heads,
    kvHeads,
    headSize,
    vocabSize: keys.count("vocab_size", { min: 1, max: 1 << 24, fallback: embedding?.shape[1] ?? 0 }),
    contextLength: keys.count("context_length", { min: 1, max: 1 << 26 }),
  };
  if (heads % kvHeads !== 0) {
    throw invalid(file, `${heads} query heads cannot share ${kvHeads} key and value heads evenly`, {
      heads,
      kvHeads,
    });
  }
  if (valueSize !== headSize) {
    throw keys.unsupported(`value heads of ${valueSize} beside key heads of ${headSize} have no graph here`);
  }
  // Kernels work on whole vectors: 16 columns for quantized activations, 4 for a normalized head.
  for (const [what, size, multiple] of [
    ["width", width, 32],
    ["feed-forward length", sizes.feedForward, 32],
    ["query width", heads * headSize, 32],
    ["head size", headSize, 4],
  ] as const) {
    if (size % multiple !== 0) {
      throw keys.unsupported(`its ${what} of ${size} is not a multiple of ${multiple}`);
    }
  }
  return sizes;
}
