import { geluGate, relu2Gate } from "../reference/gates.js";
import type { TinyFormats, TinySizes } from "../support/tiny-model.js";
import {
  type ArchitectureCase,
  everywhere,
  headNorms,
  makeCase,
  postNorms,
  sevenNorms,
  subNorms,
} from "./architecture-cases.js";

// Small versions of the published model families: the traits of each together, as in its files.
// architecture-cases.ts tests each trait separately.

export interface ModelFamily {
  /** The name in docs/MODELS.md. */
  readonly name: string;
  /** Whether config.json can express all metadata, to the last bit. */
  readonly exactConfig: boolean;
  /** A random model of the family. */
  model(formats: TinyFormats): ArchitectureCase;
}

/** Rows are multiples of the blocks of every format. */
const sizes: TinySizes = {
  layers: 2,
  width: 256,
  feedForward: 256,
  heads: 4,
  kvHeads: 2,
  headSize: 64,
  vocabSize: 258,
};
/** Head sizes independent of the width. */
const wide: TinySizes = { ...sizes, heads: 2, kvHeads: 1, headSize: 256 };

const ownHead = [{ name: "output.weight", shape: [sizes.width, sizes.vocabSize], kind: "matrix" }] as const;

const base = (
  rope: number,
): { keys: { "rope.freq_base": number }; angles: { dimensions: number; base: number } } => ({
  keys: { "rope.freq_base": rope },
  angles: { dimensions: sizes.headSize, base: rope },
});
const llama3 = base(500000.5);
const qwen = base(1000000.5);
const yarn = { originalContext: 32, betaFast: 32, betaSlow: 1, extrapolation: 1 };

export const modelFamilies: readonly ModelFamily[] = [
  {
    name: "BitNet b1.58 2B4T",
    exactConfig: true,
    model: (formats) =>
      makeCase("bitnet-b1.58", "2B4T", {
        sizes,
        formats,
        vectors: subNorms(sizes),
        keys: llama3.keys,
        meaning: { gate: relu2Gate, rope: everywhere(llama3.angles) },
        without: {},
      }),
  },
  {
    name: "bitnet_b1_58-large",
    exactConfig: true,
    model: (formats) =>
      makeCase("bitnet", "large", { sizes, formats, vectors: subNorms(sizes), without: {} }),
  },
  {
    name: "Falcon-E, Llama3-8B-1.58, TriLM",
    exactConfig: true,
    model: (formats) =>
      makeCase("llama", "a head of its own", {
        sizes,
        formats,
        more: ownHead,
        keys: llama3.keys,
        meaning: { pairing: "adjacent", rope: everywhere(llama3.angles) },
        without: {},
      }),
  },
  {
    name: "Falcon3-1.58bit",
    exactConfig: true,
    model: (formats) =>
      makeCase("llama", "heads of 256", {
        sizes: wide,
        formats,
        more: ownHead,
        meaning: { pairing: "adjacent" },
        without: {},
      }),
  },
  {
    name: "Bonsai",
    exactConfig: true,
    model: (formats) =>
      makeCase("qwen3", "YaRN", {
        sizes,
        formats,
        vectors: headNorms(sizes),
        keys: {
          ...qwen.keys,
          "rope.scaling.type": "yarn",
          "rope.scaling.factor": 4.5,
          "rope.scaling.original_context_length": 32,
        },
        meaning: {
          rope: everywhere({
            ...qwen.angles,
            scale: 1 / 4.5,
            yarn,
            magnitude: 1 + 0.1 * Math.log(4.5),
          }),
        },
        without: {},
      }),
  },
  {
    name: "BitNet-embedding-0.6B",
    exactConfig: true,
    model: (formats) =>
      makeCase("qwen3", "seven norms", {
        sizes,
        formats,
        vectors: [...headNorms(sizes), ...sevenNorms(sizes)],
        keys: { ...qwen.keys, pooling_type: 3 },
        meaning: { rope: everywhere(qwen.angles) },
        without: {},
      }),
  },
  {
    name: "BitNet-embedding-270M",
    exactConfig: false,
    model: (formats) =>
      makeCase("gemma3", "seven norms", {
        sizes: wide,
        formats,
        vectors: [...headNorms(wide), ...postNorms(wide), ...sevenNorms(wide)],
        keys: { "rope.freq_base": 10000.5, pooling_type: 3 },
        meaning: {
          gate: geluGate,
          embeddingScale: Math.sqrt(wide.width),
          rope: everywhere({ dimensions: wide.headSize, base: 10000.5 }),
        },
        without: {},
      }),
  },
  {
    name: "BitCPM4",
    exactConfig: false,
    model: (formats) =>
      makeCase("minicpm", "three scales", {
        sizes,
        formats,
        keys: { embedding_scale: 6.5, residual_scale: 0.6, logit_scale: 1.75 },
        meaning: { pairing: "adjacent", embeddingScale: 6.5, residualScale: 0.6, logitScale: 1 / 1.75 },
        without: {},
      }),
  },
];
