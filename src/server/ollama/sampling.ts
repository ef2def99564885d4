import { z } from "zod";
import type { GenerateOptions } from "../../options/generate-options.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { optionFields } from "../requests/option-fields.js";

const fields = optionFields(({ ollama }) => ollama);

/** The fields of `options` that are used. */
export const usedOptions: readonly string[] = Object.keys(fields.shape);

/**
 * The sampling options of a request. Absent fields have the library's defaults. Ollama writes a negative seed
 * for a random one, and 0 or a negative `num_predict` for no limit.
 */
export const samplingPart: RequestPart<GenerateOptions> = requestPart(
  { options: optional(z.object(fields.shape)) },
  ({ options = {} }) => {
    const { seed = -1, maxTokens = -1, ...rest } = fields.read(options);
    return {
      ...rest,
      seed: seed < 0 ? undefined : seed,
      maxTokens: maxTokens <= 0 ? undefined : maxTokens,
    };
  },
);
