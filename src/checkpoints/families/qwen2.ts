import type { Config } from "../config.js";
import { type CheckpointFamily, decoderParts } from "./family.js";

/** Qwen2 and Qwen2.5. */
export const qwen2: CheckpointFamily = {
  classes: ["Qwen2ForCausalLM", "Qwen2Model"],
  architecture: "qwen2",
  activations: ["silu"],
  layerParts: new Map(decoderParts),
  tied: false,
  ownKeys: refuseSlidingWindows,
};

export function refuseSlidingWindows(config: Config): readonly [] {
  if (!config.flag("use_sliding_window", { default: false })) return [];
  throw config.unsupported(
    "UNSUPPORTED_ARCHITECTURE",
    '"use_sliding_window" is true, and such layers have no graph here',
  );
}
