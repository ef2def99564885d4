import type { ModelDescription } from "../architectures/description.js";
import type { ModelFile } from "../files/model-file.js";
import type { PackingGoal } from "../packing/packing.js";
import { type ContextWishes, fitsMemory } from "./context-length.js";
import { planWeights, type WeightWishes } from "./weight-plan.js";

/** How ternary weights are kept. "auto": "small" if "fast" does not fit the free memory. */
export type PackingChoice = PackingGoal | "auto";
export const packingChoices: readonly PackingChoice[] = ["auto", "fast", "small"];

/**
 * @throws BitNetError UNSUPPORTED_TENSOR_TYPE for "auto" if no layout has a packer for a matrix's weight
 *   format.
 */
export function choosePacking(
  file: ModelFile,
  description: ModelDescription,
  choice: PackingChoice,
  wishes: Omit<WeightWishes, "goal"> & ContextWishes & { readonly streamBytes?: number | undefined },
): PackingGoal {
  if (choice !== "auto") return choice;
  const { bytes } = planWeights(file, description, { ...wishes, goal: "fast" });
  if (wishes.streamBytes !== undefined) return bytes <= wishes.streamBytes ? "fast" : "small";
  return fitsMemory(description.sizes, bytes, wishes) ? "fast" : "small";
}
