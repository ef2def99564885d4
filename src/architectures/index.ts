import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import { requireModel } from "../files/require-model.js";
import { bitnetB158 } from "./bitnet-b1.58.js";
import { bitnet } from "./bitnet.js";
import { describeDecoder } from "./decoder.js";
import type { Architecture, ModelDescription } from "./description.js";
import { gemma3 } from "./gemma3.js";
import { llama } from "./llama.js";
import { readText } from "./metadata.js";
import { minicpm } from "./minicpm.js";
import { qwen2 } from "./qwen2.js";
import { qwen3 } from "./qwen3.js";

export type * from "./description.js";

/** Every family with a graph here. A new family is a file and a line. */
export const architectures: readonly Architecture[] = [
  bitnetB158,
  bitnet,
  llama,
  qwen2,
  qwen3,
  gemma3,
  minicpm,
];

/**
 * Describes the model in a file: its graph's sizes and its tensors, all present and of the right shape.
 *
 * @throws BitNetError UNSUPPORTED_FILE for a file that holds no model; UNSUPPORTED_ARCHITECTURE for a family,
 *   or a trait of one, without a graph here; MODEL_INVALID if metadata and tensors contradict each other.
 */
export function describeModel(file: ModelFile): ModelDescription {
  requireModel(file);
  const name = readText(file, "general.architecture");
  const architecture = architectures.find((candidate) => candidate.names.includes(name));
  if (architecture === undefined) {
    const known = architectures.flatMap((candidate) => candidate.names).join(", ");
    throw new BitNetError(
      "UNSUPPORTED_ARCHITECTURE",
      `Cannot run "${file.source.name}": its architecture is "${name.slice(0, 64)}", which has no graph here (there are: ${known})`,
      { details: { architecture: name.slice(0, 64) } },
    );
  }
  return describeDecoder(file, name, architecture.decoder);
}
