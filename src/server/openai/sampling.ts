import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import { randomSeed } from "../../generation/sampling/random.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import { type RequestPart, requestPart } from "../requests/body.js";
import { type OptionFields, optionFields } from "../requests/option-fields.js";

/** The sampling options of a chat or of completions. Absent fields have the library's defaults. */
export const samplingPart: RequestPart<GenerateOptions> = partOf(optionFields(({ openai }) => openai));

/** The same for `/v1/responses`, which has its own name for the limit. */
export const responseSamplingPart: RequestPart<GenerateOptions> = partOf(
  optionFields(({ name, openai }) => (name === "maxTokens" ? { field: "max_output_tokens" } : openai)),
);

function partOf(fields: OptionFields): RequestPart<GenerateOptions> {
  return requestPart(fields.shape, (body) => {
    const options = fields.read(body);
    const { seed, logitBias, maxThinkingTokens = -1 } = options;
    return {
      ...options,
      // llama.cpp's server writes −1 for no limit.
      maxThinkingTokens: maxThinkingTokens < 0 ? undefined : maxThinkingTokens,
      // A negative seed counts down from the largest.
      seed: seed === undefined ? undefined : seedPlus(seed, 0),
      logitBias: logitBias === undefined ? undefined : forbidding(logitBias),
    };
  });
}

/** OpenAI writes −100 to forbid a token. */
function forbidding(biases: NonNullable<GenerateOptions["logitBias"]>): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(biases).map(([id, bias]: [string, number]) => [
      Number(id),
      bias === -100 ? -Infinity : bias,
    ]),
  );
}

/** Options of each of several texts from one prompt. Seeds differ, or all texts would be the same. */
export function severalTimes(options: InnerGenerateOptions, count: number): InnerGenerateOptions[] {
  const seed = options.seed ?? randomSeed();
  return Array.from({ length: count }, (_, index) => ({
    ...options,
    seed: seedPlus(seed, index),
  }));
}

/** The sum of a seed and a count, modulo 2^53. */
function seedPlus(seed: number, count: number): number {
  const most = Number.MAX_SAFE_INTEGER;
  if (seed < 0) return seedPlus(most + seed + 1, count);
  return seed <= most - count ? seed + count : seed - (most - count) - 1;
}
