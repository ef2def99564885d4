import type { Folder } from "../platform/folder.js";
import { readConfig } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";

const MAX_CONFIG_BYTES = 4 * 2 ** 20;

/** As generation_config.json calls them, and as llama.cpp's converter does. */
const samplingKeys = [
  ["temperature", "temp", "float32"],
  ["top_k", "top_k", "int32"],
  ["top_p", "top_p", "float32"],
  ["min_p", "min_p", "float32"],
  ["repetition_penalty", "penalty_repeat", "float32"],
] as const;

/**
 * How the makers of a checkpoint recommend to sample: generation_config.json as `general.sampling.*`. Without `do_sample` those
 * settings mean nothing to the programs that write the file, and many files have defaults there.
 *
 * @throws BitNetError MODEL_INVALID for a setting that is not a number.
 */
export async function readSampling(folder: Folder): Promise<readonly MetadataEntry[]> {
  const config = await readConfig(folder, "generation_config.json", MAX_CONFIG_BYTES);
  if (config?.get("do_sample") !== true) return [];
  return samplingKeys.flatMap(([from, key, type]): readonly MetadataEntry[] => {
    const value = config.get(from);
    if (value === undefined) return [];
    if (
      typeof value === "number" &&
      Number.isFinite(value) &&
      (type === "float32" || Number.isInteger(value))
    ) {
      return [[`general.sampling.${key}`, type, type === "float32" ? Math.fround(value) : value]];
    }
    throw config.wrong(from, type === "float32" ? "a number" : "a whole number");
  });
}
