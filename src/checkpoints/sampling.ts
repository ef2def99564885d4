import { isNumberOption } from "../options/ranges.js";
import { samplingTable } from "../options/sampling-table.js";
import type { Folder } from "../platform/folder.js";
import { readConfig } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";

const maxConfigBytes = 4 * 2 ** 20;

/**
 * Reads the recommended sampling options of a checkpoint: generation_config.json as `general.sampling.*`, as
 * llama.cpp's converter does. Without `do_sample`, transformers ignores these settings, and many files just
 * hold its defaults.
 *
 * @throws BitNetError MODEL_INVALID for a setting that is not a number.
 */
export async function readSampling(folder: Folder): Promise<readonly MetadataEntry[]> {
  const config = await readConfig(folder, "generation_config.json", maxConfigBytes);
  if (config?.get("do_sample") !== true) return [];
  return samplingTable.filter(isNumberOption).flatMap(({ kind, ggufKey, configKey }): MetadataEntry[] => {
    const value = configKey === undefined ? undefined : config.get(configKey);
    if (ggufKey === undefined || configKey === undefined || value === undefined) return [];
    const isWhole = kind === "integer";
    if (typeof value !== "number" || !Number.isFinite(value) || (isWhole && !Number.isInteger(value))) {
      throw config.wrong(configKey, isWhole ? "a whole number" : "a number");
    }
    const key = `general.sampling.${ggufKey}`;
    return [isWhole ? [key, "int32", value] : [key, "float32", Math.fround(value)]];
  });
}
