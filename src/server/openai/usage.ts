import type { Usage } from "../../generation/generated-piece.js";

export interface OpenAiUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Only for models that think. */
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
}

/** @param textsPerPrompt number of texts per prompt (`n`). A prompt is counted once. */
export function sumUsage(usages: readonly Usage[], textsPerPrompt: number): OpenAiUsage {
  const prompt = usages
    .filter((_, index) => index % textsPerPrompt === 0)
    .reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  const completion = usages.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0);
  const thinking = usages.flatMap(({ thinkingTokens }) => thinkingTokens ?? []);
  const reasoning = thinking.reduce((sum, tokens) => sum + tokens, 0);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(thinking.length > 0 && { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}
