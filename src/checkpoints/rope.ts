import type { Config } from "./config.js";
import type { MetadataEntry } from "./metadata-list.js";

/** What a checkpoint says of its rotary embedding, in GGUF's terms. */
export interface RopePlan {
  /** Keys without the architecture's name before them. */
  readonly entries: readonly MetadataEntry[];
  /** What divides each frequency, where that is no simple formula: the tensor `rope_freqs.weight`. */
  readonly factors: Float32Array | undefined;
}

/** One way of stretching positions, by the name in `rope_type` or `type`. */
interface Scaling {
  readonly names: readonly string[];
  plan(scaling: Config, rope: { readonly base: number; readonly headSize: number }): RopePlan;
}

const scalings: readonly Scaling[] = [
  { names: ["default"], plan: () => ({ entries: [], factors: undefined }) },
  {
    names: ["linear"],
    plan: (scaling) => ({
      entries: [
        ["rope.scaling.type", "string", "linear"],
        ["rope.scaling.factor", "float32", scaling.positive("factor")],
      ],
      factors: undefined,
    }),
  },
  {
    names: ["yarn"],
    plan: (scaling) => ({
      entries: [
        ["rope.scaling.type", "string", "yarn"],
        ["rope.scaling.factor", "float32", scaling.positive("factor")],
        [
          "rope.scaling.original_context_length",
          "uint32",
          scaling.count("original_max_position_embeddings"),
        ],
        ...yarnExtras.flatMap(([from, key]): readonly MetadataEntry[] =>
          scaling.has(from) ? [[key, "float32", scaling.positive(from)]] : [],
        ),
      ],
      factors: undefined,
    }),
  },
  {
    names: ["llama3"],
    plan: (scaling, rope) => ({ entries: [], factors: llama3Factors(scaling, rope) }),
  },
];

const yarnExtras = [
  ["beta_fast", "rope.scaling.yarn_beta_fast"],
  ["beta_slow", "rope.scaling.yarn_beta_slow"],
  ["attention_factor", "rope.scaling.yarn_attn_factor"],
] as const;

/**
 * @param headSize Elements of a head, all of which turn.
 * @param baseFallback The frequency base where the file names none.
 */
export function planRope(config: Config, headSize: number, baseFallback: number): RopePlan {
  // Version 5 of transformers gathers in one object what used to be two keys.
  const parameters = config.object("rope_parameters");
  const scaling = parameters ?? config.object("rope_scaling");
  const base = (parameters?.has("rope_theta") ? parameters : config).positive("rope_theta", baseFallback);
  const partial = (parameters ?? config).get("partial_rotary_factor") ?? config.get("partial_rotary_factor");
  if (partial !== undefined && partial !== 1) {
    throw config.unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `"partial_rotary_factor" is ${String(partial)}, and heads that turn in part have no graph here`,
    );
  }
  const name = scaling?.get("rope_type") ?? scaling?.get("type") ?? "default";
  const kind = scalings.find(({ names }) => names.some((candidate) => candidate === name));
  if (kind === undefined) {
    throw (scaling ?? config).unsupported(
      "UNSUPPORTED_ARCHITECTURE",
      `rotary scaling of type ${JSON.stringify(name)} has no graph here (there are: ${scalings.flatMap(({ names }) => names).join(", ")})`,
    );
  }
  const plan = kind.plan(scaling ?? config, { base, headSize });
  return {
    entries: [
      ["rope.dimension_count", "uint32", headSize],
      ["rope.freq_base", "float32", base],
      ...plan.entries,
    ],
    factors: plan.factors,
  };
}

/**
 * Llama 3.1's scaling: long waves are stretched by `factor`, short ones left alone, and those between by degrees, where
 * wavelengths are compared with the context that the model was first trained with.
 */
function llama3Factors(
  scaling: Config,
  { base, headSize }: { readonly base: number; readonly headSize: number },
): Float32Array {
  const factor = scaling.positive("factor");
  const low = scaling.positive("low_freq_factor");
  const high = scaling.positive("high_freq_factor");
  const context = scaling.count("original_max_position_embeddings");
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

/**
 * base^exponent for an exponent in [0, 1), from square roots: those are rounded in one way everywhere, and `Math.pow` is
 * not (docs/NUMERICS.md).
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
