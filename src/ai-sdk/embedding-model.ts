import type { EmbeddingModelV3, EmbeddingModelV3Result } from "@ai-sdk/provider";
import type { EmbedOptions } from "../generation/embed-options.js";
import { internalsOf } from "../language-model/internals.js";
import type { LanguageModel } from "../language-model/language-model.js";

/** @throws BitNetError INVALID_ARGUMENT for an object that `loadModel` did not make. */
export function createEmbeddingModel(model: LanguageModel): EmbeddingModelV3 {
  const { embed } = internalsOf(model);
  return {
    specificationVersion: "v3",
    provider: "bitnet.embedding",
    modelId: model.info.name,
    maxEmbeddingsPerCall: Infinity,
    // Passes over the weights take turns.
    supportsParallelCalls: false,
    async doEmbed({ values, abortSignal, providerOptions }): Promise<EmbeddingModelV3Result> {
      // `embed` checks the names and the values.
      const options = providerOptions?.bitnet as EmbedOptions | undefined;
      const { vectors, tokens } = await embed(values, { ...options, signal: abortSignal });
      return {
        embeddings: vectors.map((vector) => Array.from(vector)),
        usage: { tokens },
        warnings: [],
      };
    },
  };
}
