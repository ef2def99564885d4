import type { EmbeddingModelV3, LanguageModelV3 } from "@ai-sdk/provider";
import type { LanguageModel } from "../language-model/language-model.js";
import { createEmbeddingModel } from "./embedding-model.js";
import { createChatModel } from "./chat-model.js";

/** The AI SDK's models, of a model in this process. */
export interface BitNetProvider {
  /**
   * A model for `generateText`, `streamText` and agents.
   *
   * `providerOptions.bitnet` takes the options of `model.generate` that the AI SDK does not have, and
   * `thinking` and `templateVariables` of `model.chat`.
   *
   * @param model from `loadModel`. It must be disposed by the caller.
   * @example
   * await using model = await loadModel("hf:microsoft/bitnet-b1.58-2B-4T-gguf");
   * const { text } = await generateText({ model: bitnet(model), prompt: "Hello!" });
   * @throws BitNetError INVALID_ARGUMENT for an object that `loadModel` did not make; MODEL_INVALID if its
   *   chat template cannot be parsed.
   */
  (model: LanguageModel): LanguageModelV3;
  /**
   * A model for `embed` and `embedMany`. `providerOptions.bitnet` takes the options of `model.embed`.
   *
   * @param model from `loadModel`. It must be disposed by the caller.
   * @throws BitNetError INVALID_ARGUMENT for an object that `loadModel` did not make.
   */
  readonly embedding: (model: LanguageModel) => EmbeddingModelV3;
}

/** The provider of the AI SDK. */
export const bitnet: BitNetProvider = Object.assign(createChatModel, { embedding: createEmbeddingModel });
