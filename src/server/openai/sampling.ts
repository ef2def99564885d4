import { z } from "zod";
import { randomSeed } from "../../generation/sampling/random.js";
import type { GenerateOptions, InnerGenerateOptions } from "../../generation/resolve-options.js";
import { checkBody, optional } from "../body.js";

const penalty = optional(z.number().min(-2).max(2));
const share = optional(z.number().min(0).max(1));
const schema = z.object({
  temperature: optional(z.number().min(0).max(2)),
  top_p: share,
  seed: optional(z.int()),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  stop: optional(z.union([z.string().min(1), z.array(z.string().min(1)).max(64)])),
  max_tokens: optional(z.int().min(1)),
  max_completion_tokens: optional(z.int().min(1)),
  logit_bias: optional(z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100))),
  // Not OpenAI's, but what servers of local models take besides.
  top_k: optional(z.int().min(0)),
  min_p: share,
  repeat_penalty: optional(z.number().positive()),
});

/** How OpenAI's routes want texts to be written. What is left out is as in the library. */
export function readSampling(body: unknown): GenerateOptions {
  const fields = checkBody(schema, body);
  return {
    temperature: fields.temperature,
    topP: fields.top_p,
    topK: fields.top_k,
    minP: fields.min_p,
    repeatPenalty: fields.repeat_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    // Negative ones are counted from the largest down.
    seed: fields.seed === undefined ? undefined : seedPlus(fields.seed, 0),
    stop: fields.stop,
    maxTokens: fields.max_completion_tokens ?? fields.max_tokens,
    // −100 is OpenAI's way to forbid a token.
    logitBias: new Map(
      Object.entries(fields.logit_bias ?? {}).map(([id, bias]) => [
        Number(id),
        bias === -100 ? -Infinity : bias,
      ]),
    ),
  };
}

/** Options of each of several texts from one prompt: the same seed would write the same text. */
export function severalTimes(options: InnerGenerateOptions, count: number): InnerGenerateOptions[] {
  const seed = options.seed ?? randomSeed();
  return Array.from({ length: count }, (_, index) => ({
    ...options,
    seed: seedPlus(seed, index),
  }));
}

/** A seed so many further, from 0 to 2^53 − 1 and around. */
function seedPlus(seed: number, count: number): number {
  const most = Number.MAX_SAFE_INTEGER;
  if (seed < 0) return seedPlus(most + seed + 1, count);
  return seed <= most - count ? seed + count : seed - (most - count) - 1;
}
