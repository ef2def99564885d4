import type { Folder } from "../platform/folder.js";
import { type Config, readConfig, readConfigs } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";

const maxBytes = 2 ** 20;

/** Modes of sentence-transformers, and GGUF's numbers for them. */
const poolingTypes: ReadonlyMap<string, number> = new Map([
  ["mean", 1],
  ["cls", 2],
  ["lasttoken", 3],
]);

/** Steps that every embedding takes here. The last one changes only the length of a vector. */
const knownModules: readonly string[] = ["Transformer", "Pooling", "Normalize"];

/**
 * Reads how a text's hidden states become its vector. sentence-transformers writes that into modules.json
 * and into the configuration of pooling.
 *
 * @returns the key without the architecture's name; nothing for a folder without modules.json
 * @throws BitNetError UNSUPPORTED_ARCHITECTURE for steps that are not computed here; MODEL_INVALID,
 *   FILE_CORRUPT.
 */
export async function readPooling(folder: Folder): Promise<readonly MetadataEntry[]> {
  const modules = (await readConfigs(folder, "modules.json", maxBytes)) ?? [];
  const kinds = modules.map((module) => module.text("type").split(".").at(-1) ?? "");
  const unknown = kinds.findIndex((kind) => !knownModules.includes(kind));
  if (unknown >= 0) {
    throw (modules[unknown] as Config).unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `a step ${JSON.stringify(kinds[unknown]?.slice(0, 40))} is not computed here (there are: ${knownModules.join(", ")})`,
    );
  }
  const module = modules[kinds.indexOf("Pooling")];
  if (module === undefined) return [];
  const path = module.text("path");
  const config = await readConfig(folder, `${path}/config.json`, maxBytes);
  if (config === undefined)
    throw module.invalid(`the folder has no "${path}/config.json", which says how to pool`);
  return [["pooling_type", "uint32", poolingType(config)]];
}

function poolingType(config: Config): number {
  const modes = [...modesOf(config)];
  const type = poolingTypes.get(modes[0] ?? "");
  if (type === undefined || modes.length > 1) {
    throw config.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `pooling by ${JSON.stringify(modes.join(" and ").slice(0, 100))} is not computed here (mean and lasttoken are)`,
    );
  }
  if (type === poolingTypes.get("mean") && config.get("include_prompt") === false) {
    throw config.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      "a mean without the prompt's tokens is not computed here",
    );
  }
  return type;
}

/** Newer files name the mode. Older ones have a flag for each, such as "pooling_mode_mean_tokens". */
function modesOf(config: Config): readonly string[] {
  if (config.has("pooling_mode")) return [config.text("pooling_mode")];
  return config.keys().flatMap((key) => {
    const [, mode] = /^pooling_mode_(.+?)(_tokens?)?$/.exec(key) ?? [];
    return mode !== undefined && config.get(key) === true ? [mode] : [];
  });
}
