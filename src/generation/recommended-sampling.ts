import { BitNetError } from "../errors.js";
import type { MetadataValue } from "../files/model-file.js";
import type { RecommendedSampling } from "../options/generate-options.js";
import { isInRange, isNumberOption, rangeText } from "../options/ranges.js";
import { samplingTable } from "../options/sampling-table.js";

/**
 * Reads llama.cpp's `general.sampling.*` keys. Ignores the keys of samplers that this library does not have:
 * xtc, mirostat, an order of samplers.
 *
 * @throws BitNetError MODEL_INVALID for a value outside the option's range.
 */
export function readRecommendedSampling(metadata: ReadonlyMap<string, MetadataValue>): RecommendedSampling {
  const found: Record<string, number> = {};
  for (const option of samplingTable.filter(isNumberOption)) {
    if (option.ggufKey === undefined) continue;
    const key = `general.sampling.${option.ggufKey}`;
    const value = metadata.get(key);
    if (value === undefined) continue;
    const stored = typeof value === "bigint" ? Number(value) : value;
    const number = typeof stored === "number" ? stored : NaN;
    const meant = option.negativeIsZero === true ? Math.max(0, number) : number;
    if (!isInRange(option, meant)) {
      throw new BitNetError(
        "MODEL_INVALID",
        `Invalid ${key}: ${String(value)} (expected ${rangeText(option)})`,
        {
          details: { key },
        },
      );
    }
    found[option.name] = shortest(meant);
  }
  return found;
}

/** Files hold float32, where 0.95 is 0.949999988…; the writer meant the number with the fewest digits. */
function shortest(value: number): number {
  return Number(value.toPrecision(7));
}
