import { type CheckpointFamily, decoderParts } from "./family.js";

/** BitNet b1.58 2B4T (Microsoft), packed and as masters. */
export const bitnetB158: CheckpointFamily = {
  classes: ["BitNetForCausalLM"],
  architecture: "bitnet-b1.58",
  activations: ["relu2"],
  layerParts: new Map([
    ...decoderParts,
    ["self_attn.attn_sub_norm", "attn_sub_norm"],
    ["mlp.ffn_sub_norm", "ffn_sub_norm"],
  ]),
  ternary: true,
  tied: false,
  ropeBase: 500_000,
};
