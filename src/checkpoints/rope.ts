import type { Config } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";

/** A checkpoint's rotary embedding in GGUF's terms. */
export interface RopePlan {
  /** Keys without the architecture's name before them. */
  readonly entries: readonly MetadataEntry[];
  /** Divisors of the frequencies that no simple formula gives: tensors by name. */
  readonly tensors: readonly (readonly [name: string, divisors: Float32Array<ArrayBuffer>])[];
}

/** Facts that a scaling may need besides its own numbers. */
interface Rope {
  readonly base: number;
  readonly headSize: number;
  readonly contextLength: number;
}

/** Ways of stretching positions, by the name in `rope_type` or `type`. */
const scalings: ReadonlyMap<string, (scaling: Config, rope: Rope) => RopePlan> = new Map([
  ["default", () => ({ entries: [], tensors: [] })],
  ["linear", (scaling) => ({ entries: scalingKeys("linear", scaling.positive("factor")), tensors: [] })],
  ["yarn", (scaling, rope) => ({ entries: yarnKeys(scaling, rope), tensors: [] })],
  [
    "llama3",
    (scaling, rope) => ({ entries: [], tensors: [["rope_freqs.weight", llama3Divisors(scaling, rope)]] }),
  ],
  ["longrope", planLongRope],
]);

/**
 * @param headSize elements of a head, all of which rotate
 * @param baseFallback default frequency base
 */
export function planRope(config: Config, headSize: number, baseFallback: number): RopePlan {
  // Version 5 of transformers joins two older keys in one object; some models have one object for each kind
  // of layer.
  const gathered = config.object("rope_parameters");
  const parameters = gathered?.object("full_attention") ?? gathered;
  const scaling = parameters ?? config.object("rope_scaling");
  const base = (parameters?.has("rope_theta") ? parameters : config).positive("rope_theta", baseFallback);
  const partial = parameters?.get("partial_rotary_factor") ?? config.get("partial_rotary_factor") ?? 1;
  if (partial !== 1) {
    throw config.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `"partial_rotary_factor" is ${JSON.stringify(partial)}, and heads that turn in part have no graph here`,
    );
  }
  const name = scaling?.get("rope_type") ?? scaling?.get("type") ?? "default";
  const plan = typeof name === "string" ? scalings.get(name) : undefined;
  if (plan === undefined) {
    throw (scaling ?? config).unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `rotary scaling of type ${JSON.stringify(name)} has no graph here (there are: ${[...scalings.keys()].join(", ")})`,
    );
  }
  const contextLength = config.count("max_position_embeddings");
  const { entries, tensors } = plan(scaling ?? config, { base, headSize, contextLength });
  return {
    entries: [["rope.dimension_count", "uint32", headSize], ["rope.freq_base", "float32", base], ...entries],
    tensors,
  };
}

function scalingKeys(type: string, factor: number): readonly MetadataEntry[] {
  return [
    ["rope.scaling.type", "string", type],
    ["rope.scaling.factor", "float32", factor],
  ];
}

function originalContext(scaling: Config, fallback?: number): number {
  const length = scaling.count("original_max_position_embeddings", fallback);
  if (length > 1) return length;
  throw scaling.wrong("original_max_position_embeddings", "the length of a context");
}

function yarnKeys(scaling: Config, { contextLength }: Rope): readonly MetadataEntry[] {
  for (const key of ["mscale", "mscale_all_dim"]) {
    if (scaling.has(key)) {
      throw scaling.unsupported("UNSUPPORTED_ARCHITECTURE", `"${key}" of YaRN has no graph here`);
    }
  }
  if (!scaling.flag("truncate", { default: true })) {
    throw scaling.unsupported("UNSUPPORTED_ARCHITECTURE", "YaRN without rounded bounds has no graph here");
  }
  const factor = scaling.positive("factor");
  const entries: MetadataEntry[] = [
    ...scalingKeys("yarn", factor),
    ["rope.scaling.original_context_length", "uint32", originalContext(scaling, contextLength)],
  ];
  for (const name of ["beta_fast", "beta_slow"] as const) {
    if (scaling.has(name)) entries.push([`rope.scaling.yarn_${name}`, "float32", scaling.positive(name)]);
  }
  if (scaling.has("attention_factor")) {
    // GGUF's factor is multiplied with YaRN's own factor. A checkpoint's factor is the product.
    const whole = scaling.positive("attention_factor");
    entries.push(["rope.scaling.attn_factor", "float32", Math.fround(whole / (1 + 0.1 * Math.log(factor)))]);
  }
  return entries;
}

/**
 * Llama 3.1's scaling. Long waves are stretched by `factor`, short ones stay unchanged, and the ones between
 * change gradually. Wavelengths are compared with the context of the first training.
 */
function llama3Divisors(scaling: Config, { base, headSize }: Rope): Float32Array<ArrayBuffer> {
  const factor = scaling.positive("factor");
  const low = scaling.positive("low_freq_factor");
  const high = scaling.positive("high_freq_factor");
  const context = originalContext(scaling);
  if (high <= low) throw scaling.wrong("high_freq_factor", `more than low_freq_factor, ${low}`);
  return Float32Array.from({ length: headSize / 2 }, (_, index) => {
    const wavelength = 2 * Math.PI * fractionalPower(base, (2 * index) / headSize);
    const turns = context / wavelength;
    if (turns > high) return 1;
    if (turns < low) return factor;
    const smooth = (turns - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/** Microsoft's LongRoPE: separate divisors for contexts up to the trained one and for longer ones. */
function planLongRope(scaling: Config, { headSize, contextLength }: Rope): RopePlan {
  const original = originalContext(scaling, contextLength);
  // Version 5 of transformers writes the factor that older files only imply.
  const stretch = scaling.positive("factor", contextLength / original);
  const magnitude = stretch > 1 ? Math.sqrt(1 + Math.log(stretch) / Math.log(original)) : 1;
  return {
    entries: [
      ["rope.scaling.type", "string", "longrope"],
      ["rope.scaling.original_context_length", "uint32", original],
      ["rope.scaling.attn_factor", "float32", scaling.positive("attention_factor", magnitude)],
    ],
    tensors: [
      ["rope_factors_long.weight", divisors(scaling, "long_factor", headSize / 2)],
      ["rope_factors_short.weight", divisors(scaling, "short_factor", headSize / 2)],
    ],
  };
}

function divisors(scaling: Config, key: string, count: number): Float32Array<ArrayBuffer> {
  const values = scaling.list(key);
  if (values.length === count && values.every((value) => typeof value === "number" && value > 0)) {
    return Float32Array.from(values as readonly number[]);
  }
  throw scaling.invalid(`"${key}" should be ${count} positive numbers, one for each pair of a head`, { key });
}

/**
 * base^exponent for an exponent in [0, 1), from square roots. Those round in one way everywhere; `Math.pow`
 * does not (docs/NUMERICS.md).
 */
function fractionalPower(base: number, exponent: number): number {
  let power = 1;
  let root = base;
  for (let rest = exponent; rest > 0;) {
    rest *= 2;
    root = Math.sqrt(root);
    if (rest >= 1) {
      power *= root;
      rest -= 1;
    }
  }
  return power;
}
