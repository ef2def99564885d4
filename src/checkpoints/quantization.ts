import type { Config } from "./config.js";

/**
 * How the linear layers of a checkpoint become ternary:
 *
 * | rule | the file has | w |
 * |---|---|---|
 * | `packed`, `divide` | uint8 codes and `weight_scale` = 1 / mean | code / weight_scale |
 * | `packed`, `multiply` | uint8 codes and `weight_scale` = mean | code · weight_scale |
 * | `masters` | floats | made ternary by their mean magnitude |
 * | `dense` | floats | unchanged |
 *
 * Only `quantization_config` tells the two conventions of `weight_scale` apart, so it decides alone.
 */
export type QuantizationRule =
  | { readonly kind: "packed"; readonly scale: "divide" | "multiply" }
  | { readonly kind: "masters" }
  | { readonly kind: "dense" };

/** Default `rms_norm_eps` of norms before projections. */
const defaultNormEpsilon = 1e-6;

/** The requirements of `quantization_config`, or the defaults without it. */
export interface QuantizationPlan {
  readonly rule: QuantizationRule;
  /** Origin of the rule, for messages. */
  readonly reason: string;
  /** Whether a layer, by its path without ".weight", stays unchanged. */
  isLeftOut(path: string): boolean;
}

/**
 * @param config config.json
 * @param ternary whether models of this class are always ternary, so that their floats are masters
 * @throws BitNetError UNSUPPORTED_TENSOR_TYPE for other methods; MODEL_INVALID for invalid values.
 */
export function planQuantization(config: Config, ternary: boolean): QuantizationPlan {
  const quantization = config.object("quantization_config");
  if (quantization === undefined) {
    return {
      rule: { kind: ternary ? "masters" : "dense" },
      reason: "config.json has no quantization_config",
      isLeftOut: isHead,
    };
  }
  const method = quantization.text("quant_method");
  if (method !== "bitnet") {
    throw quantization.unsupported(
      "UNSUPPORTED_TENSOR_TYPE",
      `weights quantized by ${JSON.stringify(method.slice(0, 40))} have no kernel here (bitnet has)`,
      { method: method.slice(0, 40) },
    );
  }
  // Defaults of both: the first checkpoints are older than the alternatives.
  const linear = quantization.text("linear_class", "bitlinear");
  const mode = quantization.text("quantization_mode", "offline");
  const rule = ruleOf(quantization, linear, mode);
  // GGUF has only one epsilon per model.
  const ownNormEpsilon = quantization.positive("rms_norm_eps", defaultNormEpsilon);
  if (
    quantization.flag("use_rms_norm", { default: false }) &&
    ownNormEpsilon !== config.positive("rms_norm_eps")
  ) {
    throw quantization.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `norms before projections with an epsilon of ${ownNormEpsilon.toPrecision(6)}, another than the model's, have no graph here`,
    );
  }
  const leftOut = quantization.list("modules_to_not_convert").map((name) => {
    if (typeof name === "string") return name;
    throw quantization.wrong("modules_to_not_convert", "names of modules");
  });
  return {
    rule,
    reason: `quantization_config says linear_class "${linear}", quantization_mode "${mode}"`,
    isLeftOut: (path) => isHead(path) || leftOut.some((name) => name !== "" && path.includes(name)),
  };
}

function ruleOf(quantization: Config, linear: string, mode: string): QuantizationRule {
  if (mode !== "offline" && mode !== "online") {
    throw quantization.wrong("quantization_mode", '"offline" or "online"');
  }
  switch (linear) {
    // Its layers accept packed weights only, whatever the mode.
    case "bitlinear":
      return { kind: "packed", scale: "divide" };
    case "autobitlinear":
      return mode === "online" ? { kind: "masters" } : { kind: "packed", scale: "multiply" };
    default:
      throw quantization.wrong("linear_class", '"bitlinear" or "autobitlinear"');
  }
}

/**
 * The output head is an ordinary layer with one exception: ternary models quantize it only if they say so.
 */
function isHead(path: string): boolean {
  return path === "lm_head";
}
