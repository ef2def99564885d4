import type { Metadata, MetadataValue } from "#dist/files/model-file.js";
import type { ReferenceDecoder, ReferenceTensor } from "../reference/decoder.js";
import { geluGate, relu2Gate, siluGate } from "../reference/gates.js";
import type { RopeAngles } from "../reference/rope.js";
import { byteVocabulary } from "../support/small-vocabularies.js";
import {
  decoderMetadata,
  decoderTensors,
  type TinyFormats,
  type TinySizes,
  type TinyTensor,
} from "../support/tiny-model.js";

// Random models of every architecture, and the meaning of a file of each. The meaning comes from llama.cpp's
// graphs (src/models) and converters, not from src/architectures. So the tests cover the reading of a file as
// well as the computation.

type Change = (model: ReferenceDecoder) => ReferenceDecoder;

export interface ArchitectureCase {
  readonly name: string;
  readonly metadata: Metadata;
  readonly tensors: readonly TinyTensor[];
  readonly formats: TinyFormats;
  /** The meaning of the file. */
  readonly meaning: (tensors: ReadonlyMap<string, ReferenceTensor>) => ReferenceDecoder;
  /** The same model without one trait at a time: the result of a mistake in that trait. */
  readonly without: Readonly<Record<string, Change>>;
}

const vocabulary = byteVocabulary([]);
const small: TinySizes = {
  layers: 2,
  width: 64,
  feedForward: 96,
  heads: 4,
  kvHeads: 2,
  headSize: 16,
  vocabSize: 258,
};
/** Rows are multiples of I2_S blocks. */
const blocks: TinySizes = { ...small, width: 128, feedForward: 256, headSize: 32 };
/** Head sizes independent of the width, as in Falcon3 and Gemma. */
const wide: TinySizes = { ...small, heads: 2, kvHeads: 1, headSize: 256 };

const floats: TinyFormats = { matrices: "F32", vectors: "F32" };
const ternary: TinyFormats = { matrices: "I2_S", vectors: "F16" };

interface CaseParts {
  readonly sizes?: TinySizes;
  readonly keys?: Readonly<Record<string, MetadataValue>>;
  /** Vectors of each layer in addition to the two norms of all models. */
  readonly vectors?: readonly (readonly [string, number, "norm" | "bias"])[];
  readonly more?: readonly TinyTensor[];
  readonly formats?: TinyFormats;
  readonly meaning?: Partial<ReferenceDecoder>;
  readonly without: Readonly<Record<string, Change>>;
}

export function makeCase(architecture: string, about: string, parts: CaseParts): ArchitectureCase {
  const { sizes = small, keys = {}, vectors = [], more = [], formats = floats, meaning, without } = parts;
  const { headSize, width, heads } = sizes;
  const sized =
    headSize * heads === width
      ? {}
      : { "attention.key_length": headSize, "attention.value_length": headSize };
  return {
    name: `${architecture}, ${about}`,
    metadata: new Map([...vocabulary, ...decoderMetadata(architecture, sizes, { ...sized, ...keys })]),
    tensors: [...decoderTensors(sizes, vectors), ...more],
    formats,
    meaning: (tensors) => ({
      ...sizes,
      epsilon: 1e-5,
      gate: siluGate,
      pairing: "halves",
      rope: () => ({ dimensions: headSize, base: 10000 }),
      window: () => Infinity,
      attentionScale: headSize ** -0.5,
      embeddingScale: 1,
      residualScale: 1,
      logitScale: 1,
      ...meaning,
      tensors,
    }),
    without,
  };
}

/** The model without the tensors of a name. */
const withoutTensors =
  (name: RegExp): Change =>
  (model) => ({ ...model, tensors: new Map([...model.tensors].filter(([tensor]) => !name.test(tensor))) });

const changed =
  (change: Partial<ReferenceDecoder>): Change =>
  (model) => ({ ...model, ...change });

/** The model without one of the layer vectors, for each vector. */
const eachWithout = (names: readonly string[]): Record<string, Change> =>
  Object.fromEntries(names.map((name) => [name, withoutTensors(new RegExp(`\\.${name}\\.(weight|bias)$`))]));

/** The pairs of head elements that rotary embedding rotates together. */
const otherPairing: Record<string, Change> = {
  "pairs of rotary embedding": (model) => ({
    ...model,
    pairing: model.pairing === "halves" ? "adjacent" : "halves",
  }),
};

export const everywhere =
  (angles: RopeAngles): ((layer: number) => RopeAngles) =>
  () =>
    angles;

export function subNorms({ feedForward, heads, headSize }: TinySizes): NonNullable<CaseParts["vectors"]> {
  return [
    ["attn_sub_norm", heads * headSize, "norm"],
    ["ffn_sub_norm", feedForward, "norm"],
  ];
}

export function headNorms({ headSize }: TinySizes): NonNullable<CaseParts["vectors"]> {
  return [
    ["attn_q_norm", headSize, "norm"],
    ["attn_k_norm", headSize, "norm"],
  ];
}

export function postNorms({ width }: TinySizes): NonNullable<CaseParts["vectors"]> {
  return [
    ["post_attention_norm", width, "norm"],
    ["post_ffw_norm", width, "norm"],
  ];
}

/** One norm before each projection (github.com/microsoft/BitNet, docs/bitnet-embeddings-i2s-guide.md). */
export function sevenNorms({
  width,
  feedForward,
  heads,
  headSize,
}: TinySizes): NonNullable<CaseParts["vectors"]> {
  return [
    ["attn_q_norm_in", width, "norm"],
    ["attn_k_norm_in", width, "norm"],
    ["attn_v_norm_in", width, "norm"],
    ["attn_output_norm_in", heads * headSize, "norm"],
    ["ffn_gate_norm_in", width, "norm"],
    ["ffn_up_norm_in", width, "norm"],
    ["ffn_down_norm_in", feedForward, "norm"],
  ];
}

const sevenNormNames = sevenNorms(small).map(([name]) => name);

const yarn = { originalContext: 32, betaFast: 32, betaSlow: 1, extrapolation: 1 };
const yarnKeys = {
  "rope.freq_base": 10000.5,
  "rope.scaling.type": "yarn",
  "rope.scaling.factor": 4.5,
  "rope.scaling.original_context_length": 32,
};
const yarnAngles = { dimensions: 16, base: 10000.5, scale: 1 / 4.5, yarn };
const yarnMagnitude = 1 + 0.1 * Math.log(4.5);

export function positives(count: number, from: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => from + i / count);
}

const gemma = {
  gate: geluGate,
  embeddingScale: Math.sqrt(small.width),
};

/** The traits of every Gemma. */
const gemmaWithout: Record<string, Change> = {
  "the scale of the embedding": changed({ embeddingScale: 1 }),
  GELU: changed({ gate: siluGate }),
  ...eachWithout(["attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm"]),
  ...otherPairing,
};

/** A window of 5 in every second layer. Those layers use another rotary base without scaling. */
export function slidingGemma(layers: number): ArchitectureCase {
  const isLocal = (layer: number): boolean => layer % 2 === 0;
  const local = { dimensions: 16, base: 500.5 };
  const global = { dimensions: 16, base: 1000000.5, scale: 1 / 8 };
  const ropes = (ofLocal: RopeAngles, ofGlobal: RopeAngles): Partial<ReferenceDecoder> => ({
    rope: (layer) => (isLocal(layer) ? ofLocal : ofGlobal),
  });
  return makeCase("gemma3", "sliding windows and two bases", {
    sizes: { ...small, layers },
    vectors: [...headNorms(small), ...postNorms(small)],
    keys: {
      "attention.sliding_window": 5,
      "attention.sliding_window_pattern": 2,
      "rope.freq_base": 1000000.5,
      "rope.freq_base_swa": 500.5,
      "rope.scaling.type": "linear",
      "rope.scaling.factor": 8,
    },
    meaning: { ...gemma, ...ropes(local, global), window: (layer) => (isLocal(layer) ? 5 : Infinity) },
    without: {
      windows: changed({ window: () => Infinity }),
      "a window of 5 and not 4": changed({ window: (layer) => (isLocal(layer) ? 4 : Infinity) }),
      "layers without a window": changed({ window: () => 5 }),
      "the base of local layers": changed(ropes(global, global)),
      "the scale of global layers": changed(ropes(local, { ...global, scale: 1 })),
      "the missing scale of local layers": changed(ropes({ ...local, scale: 1 / 8 }, global)),
    },
  });
}

export const architectureCases: readonly ArchitectureCase[] = [
  makeCase("bitnet-b1.58", "squared relu and sub-norms", {
    vectors: subNorms(small),
    keys: { "rope.freq_base": 500000.5 },
    meaning: { gate: relu2Gate, rope: everywhere({ dimensions: 16, base: 500000.5 }) },
    without: {
      "squared relu": changed({ gate: siluGate }),
      "base of rotary embedding": changed({ rope: everywhere({ dimensions: 16, base: 10000 }) }),
      ...eachWithout(["attn_sub_norm", "ffn_sub_norm"]),
      ...otherPairing,
    },
  }),
  makeCase("bitnet", "SiLU and sub-norms", {
    vectors: subNorms(small),
    without: {
      SiLU: changed({ gate: relu2Gate }),
      ...eachWithout(["attn_sub_norm", "ffn_sub_norm"]),
      ...otherPairing,
    },
  }),
  makeCase("bitnet", "heads of 20, which are no whole vectors", {
    sizes: { ...small, width: 160, heads: 8, headSize: 20 },
    vectors: subNorms({ ...small, width: 160, heads: 8, headSize: 20 }),
    without: {
      ...eachWithout(["attn_sub_norm", "ffn_sub_norm"]),
      ...otherPairing,
      "the scale of heads of 20": changed({ attentionScale: 24 ** -0.5 }),
    },
  }),
  makeCase("llama", "heads of 12 whose neighbours turn together", {
    sizes: { ...small, width: 96, heads: 8, headSize: 12 },
    meaning: { pairing: "adjacent" },
    without: { ...otherPairing },
  }),
  makeCase("qwen2", "heads of 20 of which 8 turn", {
    sizes: { ...small, width: 160, heads: 8, headSize: 20 },
    keys: { "rope.dimension_count": 8 },
    meaning: { rope: everywhere({ dimensions: 8, base: 10000 }) },
    without: {
      ...otherPairing,
      "the part that does not turn": changed({ rope: everywhere({ dimensions: 20, base: 10000 }) }),
    },
  }),
  makeCase("qwen3", "heads of 36 with norms, YaRN", {
    sizes: { ...small, heads: 8, headSize: 36 },
    vectors: headNorms({ ...small, headSize: 36 }),
    keys: yarnKeys,
    meaning: { rope: everywhere({ ...yarnAngles, dimensions: 36, magnitude: yarnMagnitude }) },
    without: {
      YaRN: changed({ rope: everywhere({ dimensions: 36, base: 10000.5 }) }),
      ...eachWithout(["attn_q_norm", "attn_k_norm"]),
    },
  }),
  makeCase("llama", "a head of its own and divisors of frequencies", {
    more: [
      { name: "output.weight", shape: [small.width, small.vocabSize], kind: "matrix" },
      { name: "rope_freqs.weight", shape: [8], kind: positives(8, 0.5) },
    ],
    meaning: {
      pairing: "adjacent",
      rope: everywhere({ dimensions: 16, base: 10000, factors: positives(8, 0.5) }),
    },
    without: {
      "the head of its own": withoutTensors(/^output\.weight$/),
      "divisors of frequencies": changed({ rope: everywhere({ dimensions: 16, base: 10000 }) }),
      SiLU: changed({ gate: relu2Gate }),
      ...otherPairing,
    },
  }),
  makeCase("llama", "heads of 256 beside a width of 64", {
    sizes: wide,
    meaning: { pairing: "adjacent" },
    without: {
      "the scale of heads of 256": changed({ attentionScale: (wide.width / wide.heads) ** -0.5 }),
      ...otherPairing,
    },
  }),
  makeCase("llama", "biases, linear scaling, a part of each head turning", {
    keys: { "rope.scaling.type": "linear", "rope.scaling.factor": 2.5, "rope.dimension_count": 8 },
    vectors: [
      ["attn_q", 64, "bias"],
      ["attn_k", 32, "bias"],
      ["attn_v", 32, "bias"],
      ["attn_output", 64, "bias"],
      ["ffn_gate", 96, "bias"],
      ["ffn_up", 96, "bias"],
      ["ffn_down", 64, "bias"],
    ],
    meaning: { pairing: "adjacent", rope: everywhere({ dimensions: 8, base: 10000, scale: 1 / 2.5 }) },
    without: {
      "linear scaling": changed({ rope: everywhere({ dimensions: 8, base: 10000 }) }),
      "the part that does not turn": changed({
        rope: everywhere({ dimensions: 16, base: 10000, scale: 1 / 2.5 }),
      }),
      ...Object.fromEntries(
        ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map((name) => [
          `bias of ${name}`,
          withoutTensors(new RegExp(`${name}\\.bias$`)),
        ]),
      ),
    },
  }),
  makeCase("qwen2", "biases of queries, keys and values", {
    vectors: [
      ["attn_q", 64, "bias"],
      ["attn_k", 32, "bias"],
      ["attn_v", 32, "bias"],
    ],
    without: { biases: withoutTensors(/\.bias$/), ...otherPairing },
  }),
  makeCase("qwen3", "norms of heads and YaRN", {
    vectors: headNorms(small),
    keys: yarnKeys,
    meaning: { rope: everywhere({ ...yarnAngles, magnitude: yarnMagnitude }) },
    without: {
      YaRN: changed({ rope: everywhere({ dimensions: 16, base: 10000.5 }) }),
      "YaRN's ramp": changed({
        rope: everywhere({ dimensions: 16, base: 10000.5, scale: 1 / 4.5, magnitude: yarnMagnitude }),
      }),
      "YaRN's magnitude": changed({ rope: everywhere(yarnAngles) }),
      ...eachWithout(["attn_q_norm", "attn_k_norm"]),
      ...otherPairing,
    },
  }),
  makeCase("qwen3", "YaRN with all its keys", {
    vectors: headNorms(small),
    keys: {
      ...yarnKeys,
      "rope.scaling.attn_factor": 1.25,
      "rope.scaling.yarn_log_multiplier": 0.5,
      "rope.scaling.yarn_beta_fast": 4.5,
      "rope.scaling.yarn_beta_slow": 0.5,
      "rope.scaling.yarn_ext_factor": 0.75,
    },
    meaning: {
      rope: everywhere({
        ...yarnAngles,
        yarn: { originalContext: 32, betaFast: 4.5, betaSlow: 0.5, extrapolation: 0.75 },
        magnitude: (1.25 * yarnMagnitude) / (1 + 0.05 * Math.log(4.5)),
      }),
    },
    without: {
      "the keys but the factor": changed({ rope: everywhere({ ...yarnAngles, magnitude: yarnMagnitude }) }),
      "the attention factor": changed({
        rope: everywhere({
          ...yarnAngles,
          yarn: { originalContext: 32, betaFast: 4.5, betaSlow: 0.5, extrapolation: 0.75 },
          magnitude: yarnMagnitude / (1 + 0.05 * Math.log(4.5)),
        }),
      }),
    },
  }),
  makeCase("qwen3", "a norm before each projection, stored as halves", {
    vectors: [...headNorms(small), ...sevenNorms(small)],
    keys: { pooling_type: 3 },
    formats: { matrices: "F16", vectors: "F16" },
    without: eachWithout([...sevenNormNames, "attn_q_norm", "attn_k_norm"]),
  }),
  makeCase("qwen3", "a norm before each ternary projection", {
    sizes: blocks,
    vectors: [...headNorms(blocks), ...sevenNorms(blocks)],
    formats: ternary,
    without: eachWithout(sevenNormNames),
  }),
  makeCase("gemma3", "without windows", {
    vectors: [...headNorms(small), ...postNorms(small)],
    keys: { "rope.freq_base": 1000000.5, "attention.query_pre_attn_scalar": 9 },
    meaning: {
      ...gemma,
      attentionScale: 1 / 3,
      rope: everywhere({ dimensions: 16, base: 1000000.5 }),
    },
    without: { "the scale of queries": changed({ attentionScale: 1 / 4 }), ...gemmaWithout },
  }),
  slidingGemma(4),
  makeCase("gemma3", "windows in five of six layers", {
    sizes: { ...small, layers: 7 },
    vectors: [...headNorms(small), ...postNorms(small)],
    keys: { "attention.sliding_window": 4, "rope.freq_base": 1000000.5 },
    meaning: {
      ...gemma,
      window: (layer) => (layer === 5 ? Infinity : 4),
      rope: (layer) => ({ dimensions: 16, base: layer === 5 ? 1000000.5 : 10000 }),
    },
    without: {
      "the sixth layer's view": changed({ window: () => 4 }),
      "the sixth layer's base": changed({ rope: everywhere({ dimensions: 16, base: 10000 }) }),
      "the other layers' windows": changed({ window: () => Infinity }),
    },
  }),
  makeCase("gemma3", "windows by a flag for each layer", {
    sizes: { ...small, layers: 3 },
    vectors: [...headNorms(small), ...postNorms(small)],
    keys: {
      "attention.sliding_window": 3,
      "attention.sliding_window_pattern": [false, true, false],
      "rope.freq_base": 1000000.5,
    },
    meaning: {
      ...gemma,
      window: (layer) => (layer === 1 ? 3 : Infinity),
      rope: (layer) => ({ dimensions: 16, base: layer === 1 ? 10000 : 1000000.5 }),
    },
    without: {
      windows: changed({ window: () => Infinity }),
      "other layers' views": changed({ window: () => 3 }),
    },
  }),
  makeCase("gemma3", "a norm before each ternary projection, heads of 256", {
    sizes: { ...blocks, heads: 2, kvHeads: 1, headSize: 256 },
    vectors: [
      ...headNorms(wide),
      ...postNorms(blocks),
      ...sevenNorms({ ...blocks, heads: 2, kvHeads: 1, headSize: 256 }),
    ],
    keys: { pooling_type: 3, "rope.freq_base": 10000 },
    formats: ternary,
    meaning: { gate: geluGate, embeddingScale: Math.sqrt(128) },
    without: eachWithout([...sevenNormNames, "post_attention_norm", "post_ffw_norm"]),
  }),
  makeCase("minicpm", "three scales and factors for long contexts", {
    keys: {
      embedding_scale: 6.5,
      residual_scale: 0.6,
      logit_scale: 1.75,
      "rope.scaling.type": "longrope",
      "rope.scaling.original_context_length": 32,
    },
    vectors: [["attn_output", 64, "bias"]],
    more: [
      { name: "rope_factors_long.weight", shape: [8], kind: positives(8, 1.5) },
      { name: "rope_factors_short.weight", shape: [8], kind: positives(8, 0.9) },
    ],
    meaning: {
      pairing: "adjacent",
      embeddingScale: 6.5,
      residualScale: 0.6,
      logitScale: 1 / 1.75,
      rope: everywhere({ dimensions: 16, base: 10000, factors: positives(8, 1.5) }),
    },
    without: {
      "the scale of the embedding": changed({ embeddingScale: 1 }),
      "the scale of the residual": changed({ residualScale: 1 }),
      "the scale of logits": changed({ logitScale: 1 }),
      "factors for long contexts": changed({
        rope: everywhere({ dimensions: 16, base: 10000, factors: positives(8, 0.9) }),
      }),
      "all factors": changed({ rope: everywhere({ dimensions: 16, base: 10000 }) }),
      "a bias scaled as the residual": (model) => ({
        ...model,
        tensors: new Map(
          [...model.tensors].map(([name, tensor]) => [
            name,
            name.endsWith(".bias") ? { ...tensor, values: tensor.values.map((v) => v / 0.6) } : tensor,
          ]),
        ),
      }),
      ...otherPairing,
    },
  }),
  makeCase("minicpm", "the scales of files that name none", {
    sizes: { ...small, layers: 3 },
    meaning: {
      pairing: "adjacent",
      embeddingScale: 12,
      residualScale: 1.4 / Math.sqrt(3),
      logitScale: 256 / 64,
    },
    without: {
      "the scale of the embedding": changed({ embeddingScale: 1 }),
      "the scale of the residual": changed({ residualScale: 1 }),
      "the scale of logits": changed({ logitScale: 1 }),
    },
  }),
];
