import type {
  ArchitectureKeys,
  DecoderTraits,
  ModelSizes,
  RopeDescription,
  VectorRole,
  YarnDescription,
} from "./description.js";
import type { TensorRoles } from "./tensors.js";

/** The scalings of positions that files name. A factor without a name is linear, as in llama.cpp. */
const scalings: readonly string[] = ["none", "linear", "yarn", "longrope"];

/**
 * How the heads of a model rotate, by the keys that llama.cpp reads. The numbers mean the same as in
 * `rope_frequencies`.
 */
export function readRope(
  keys: ArchitectureKeys,
  sizes: ModelSizes,
  traits: DecoderTraits,
  tensors: TensorRoles,
): RopeDescription {
  const dimensions = keys.count("rope.dimension_count", {
    min: 8,
    max: sizes.headSize,
    fallback: sizes.headSize,
  });
  const scaling = keys.text("rope.scaling.type", "linear");
  // A head that rotates as a whole may be padded to whole vectors. A part of a head is followed by the rest.
  const whole = dimensions === sizes.headSize || dimensions % 8 === 0;
  if (!whole || !scalings.includes(scaling)) {
    throw keys.unsupported(
      `rotary embedding of ${dimensions} dimensions with "${scaling.slice(0, 32)}" scaling has no graph here`,
      { dimensions, scaling: scaling.slice(0, 32) },
    );
  }
  const vector = (tensor: string): VectorRole | undefined =>
    tensors.has(tensor) ? tensors.vector(tensor, dimensions / 2) : undefined;
  const originalContextLength = keys.count("rope.scaling.original_context_length", {
    min: 1,
    max: 1 << 26,
    fallback: sizes.contextLength,
  });
  const long = scaling === "longrope" ? vector("rope_factors_long.weight") : undefined;
  const short = scaling === "longrope" ? vector("rope_factors_short.weight") : undefined;
  return {
    pairing: traits.pairing,
    dimensions,
    base: keys.positive("rope.freq_base", 10000),
    scale: scaling === "none" ? 1 : 1 / readFactor(keys),
    magnitude: keys.positive("rope.scaling.attn_factor", 1),
    yarn: scaling === "yarn" ? readYarn(keys, originalContextLength) : undefined,
    factors: short ?? vector("rope_freqs.weight"),
    longFactors: long && { above: originalContextLength, factors: long },
  };
}

/** How much the context is stretched. The second key is an older name of the first. */
function readFactor(keys: ArchitectureKeys): number {
  return keys.positive("rope.scaling.factor", keys.positive("rope.scale_linear", 1));
}

function readYarn(keys: ArchitectureKeys, originalContextLength: number): YarnDescription {
  const extrapolation = keys.number("rope.scaling.yarn_ext_factor", 1);
  return {
    originalContextLength,
    betaFast: keys.positive("rope.scaling.yarn_beta_fast", 32),
    betaSlow: keys.positive("rope.scaling.yarn_beta_slow", 1),
    // llama.cpp writes −1 for the default.
    extrapolation: extrapolation < 0 ? 1 : extrapolation,
    logMultiplier: keys.number("rope.scaling.yarn_log_multiplier", 0),
  };
}

/** How far each layer sees, and its rope. */
export interface LayerAttention {
  readonly rope: number;
  readonly window: number | undefined;
}

/**
 * The ropes of a model, and the rope of each layer. If the architecture has sliding windows and the file
 * names their length, layers with a window rotate by a base of their own and are not stretched (llama.cpp,
 * `rope_freq_base_swa`).
 */
export function readAttention(
  keys: ArchitectureKeys,
  sizes: ModelSizes,
  traits: DecoderTraits,
  tensors: TensorRoles,
): { readonly ropes: readonly RopeDescription[]; readonly layers: readonly LayerAttention[] } {
  const rope = readRope(keys, sizes, traits, tensors);
  const everywhere = { rope: 0, window: undefined };
  const window = keys.has("attention.sliding_window")
    ? keys.count("attention.sliding_window", { min: 0, max: 1 << 26 })
    : 0;
  if (traits.slidingWindow === undefined || window === 0) {
    return { ropes: [rope], layers: Array.from({ length: sizes.layers }, () => everywhere) };
  }
  const local: RopeDescription = {
    ...rope,
    base: keys.positive("rope.freq_base_swa", traits.slidingWindow.base),
    scale: 1,
    magnitude: 1,
    yarn: undefined,
    longFactors: undefined,
  };
  const slides = readPattern(keys, sizes, traits.slidingWindow.period);
  return {
    ropes: [rope, local],
    layers: slides.map((sliding) => (sliding ? { rope: 1, window } : everywhere)),
  };
}

/**
 * For each layer whether it has a window: from a flag per layer, or from a period whose last layer has none.
 */
function readPattern(keys: ArchitectureKeys, sizes: ModelSizes, period: number): readonly boolean[] {
  const key = "attention.sliding_window_pattern";
  const value = keys.value(key);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const flags = Array.from(value as ArrayLike<unknown>, Boolean);
    if (flags.length === sizes.layers) return flags;
    throw keys.unsupported(`metadata "${key}" has ${flags.length} entries for ${sizes.layers} layers`);
  }
  const every = keys.count(key, { min: 1, max: 4096, fallback: period });
  return Array.from({ length: sizes.layers }, (_, layer) => layer % every < every - 1);
}
