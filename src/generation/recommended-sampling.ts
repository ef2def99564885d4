import { BitNetError } from "../errors.js";
import type { MetadataValue } from "../files/model-file.js";
import type { GenerateOptions } from "./resolve-options.js";

/** What whoever made a model recommends. Options that a caller leaves out are these, where the file has them. */
export type RecommendedSampling = Pick<
  GenerateOptions,
  "temperature" | "topK" | "topP" | "minP" | "repeatPenalty" | "repeatLastN"
>;

interface SamplingKey {
  readonly option: keyof RecommendedSampling;
  /** After "general.sampling.". */
  readonly key: string;
  readonly accepts: (value: number) => boolean;
  readonly expected: string;
}

const share = {
  accepts: (value: number): boolean => value >= 0 && value <= 1,
  expected: "a number from 0 to 1",
};
const whole = {
  accepts: (value: number): boolean => Number.isSafeInteger(value) && value >= -1,
  expected: "a whole number from -1",
};

const samplingKeys: readonly SamplingKey[] = [
  { option: "temperature", key: "temp", accepts: () => true, expected: "a number" },
  { option: "topK", key: "top_k", ...whole },
  { option: "topP", key: "top_p", ...share },
  { option: "minP", key: "min_p", ...share },
  {
    option: "repeatPenalty",
    key: "penalty_repeat",
    accepts: (value) => value > 0,
    expected: "a number above 0",
  },
  { option: "repeatLastN", key: "penalty_last_n", ...whole },
];

/**
 * Reads llama.cpp's `general.sampling.*` keys. Those of samplers that there are none of here (xtc, mirostat, an order of
 * samplers) are passed over.
 *
 * @throws BitNetError MODEL_INVALID for a value that the option cannot have.
 */
export function readRecommendedSampling(metadata: ReadonlyMap<string, MetadataValue>): RecommendedSampling {
  const found: { -readonly [Option in keyof RecommendedSampling]: number } = {};
  for (const { option, key, accepts, expected } of samplingKeys) {
    const name = `general.sampling.${key}`;
    const value = metadata.get(name);
    if (value === undefined) continue;
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number) || !accepts(number)) {
      throw new BitNetError("MODEL_INVALID", `Invalid ${name}: ${String(value)} (expected ${expected})`, {
        details: { key: name },
      });
    }
    found[option] = limited(option, shortest(number));
  }
  return found;
}

/** Files have float32, where 0.95 is 0.949999988…: the number that was meant has the fewest digits. */
function shortest(value: number): number {
  return Number(value.toPrecision(7));
}

/** Below zero is llama.cpp's way to say that there is no chance, and some programs' that all tokens count. */
function limited(option: keyof RecommendedSampling, value: number): number {
  return option === "temperature" || option === "topK" ? Math.max(0, value) : value;
}
