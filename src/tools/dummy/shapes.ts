/** The published shape of a model, without its weights. */
export interface DummyShape {
  readonly architecture: "bitnet-b1.58" | "bitnet";
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly ropeTheta: number;
}

/**
 * Shared by the scaling runs: no grouped queries, and the LLaMA vocabulary of 32000 with two added tokens.
 */
const scalingRun = {
  architecture: "bitnet",
  vocabSize: 32_002,
  contextLength: 2048,
  ropeTheta: 10_000,
} as const;

function scaled(layers: number, width: number, feedForward: number, heads: number): DummyShape {
  return { ...scalingRun, layers, width, feedForward, heads, kvHeads: heads };
}

/**
 * Sizes by name. Rows are multiples of 256, so every type's blocks fit. The exception is 3B: its rows of 8640
 * are 135 times 64.
 *
 * 2B4T is the official release, 700M is 1bitLLM/bitnet_b1_58-large, and 3B is bitnet_b1_58-3B. The others are
 * the shapes of bitnet.cpp's own dummy generator, so speeds can be compared with its tables. "tiny" is for
 * tests.
 */
export const dummyShapes: ReadonlyMap<string, DummyShape> = new Map([
  [
    "tiny",
    {
      architecture: "bitnet-b1.58",
      layers: 2,
      width: 256,
      feedForward: 768,
      heads: 4,
      kvHeads: 2,
      vocabSize: 4096,
      contextLength: 256,
      ropeTheta: 500_000,
    },
  ],
  [
    "2B4T",
    {
      architecture: "bitnet-b1.58",
      layers: 30,
      width: 2560,
      feedForward: 6912,
      heads: 20,
      kvHeads: 5,
      vocabSize: 128_256,
      contextLength: 4096,
      ropeTheta: 500_000,
    },
  ],
  ["125M", scaled(11, 768, 3072, 12)],
  ["350M", scaled(24, 1024, 3072, 16)],
  ["700M", scaled(24, 1536, 4096, 16)],
  ["1B", scaled(24, 2048, 3584, 32)],
  ["1.5B", scaled(28, 1536, 9216, 32)],
  ["2.7B", scaled(24, 3072, 7680, 32)],
  ["3B", scaled(26, 3200, 8640, 32)],
  ["3.8B", scaled(24, 3840, 8192, 32)],
  ["7B", scaled(32, 4096, 12_032, 32)],
  ["13B", scaled(40, 5120, 13_824, 40)],
  ["30B", scaled(60, 6656, 16_384, 52)],
  ["70B", scaled(80, 8192, 24_576, 64)],
  ["100B", scaled(72, 8192, 45_568, 64)],
]);

/** The role of a tensor, which decides the scale of its random values. */
export type DummyRole = "embedding" | "norm" | "linear" | "residual";

export interface DummyTensor {
  readonly name: string;
  /** Fastest-varying size first. */
  readonly shape: readonly number[];
  readonly role: DummyRole;
}

/** The tensors of a shape, in the order of the official file. */
export function dummyTensors(shape: DummyShape): readonly DummyTensor[] {
  const { layers, width, feedForward, heads, kvHeads, vocabSize } = shape;
  const kvWidth = (width / heads) * kvHeads;
  const tensors: DummyTensor[] = [
    { name: "token_embd.weight", shape: [width, vocabSize], role: "embedding" },
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const block: readonly (readonly [string, readonly number[], DummyRole])[] = [
      ["attn_norm", [width], "norm"],
      ["ffn_down", [feedForward, width], "residual"],
      ["ffn_sub_norm", [feedForward], "norm"],
      ["ffn_gate", [width, feedForward], "linear"],
      ["ffn_up", [width, feedForward], "linear"],
      ["ffn_norm", [width], "norm"],
      ["attn_sub_norm", [width], "norm"],
      ["attn_k", [width, kvWidth], "linear"],
      ["attn_output", [width, width], "residual"],
      ["attn_q", [width, width], "linear"],
      ["attn_v", [width, kvWidth], "linear"],
    ];
    for (const [name, size, role] of block) {
      tensors.push({ name: `blk.${layer}.${name}.weight`, shape: size, role });
    }
  }
  tensors.push({ name: "output_norm.weight", shape: [width], role: "norm" });
  return tensors;
}
