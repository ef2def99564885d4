import { describe, expect, it } from "vitest";
import { describeModel, type ModelDescription } from "#dist/architectures/index.js";
import { openModelFile } from "#dist/files/index.js";
import type { MetadataValue } from "#dist/files/model-file.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { architectureCases } from "../conformance/architecture-cases.js";
import { decoderMetadata, decoderTensors, makeTinyModel, type TinyTensor } from "../support/tiny-model.js";

interface Edit {
  readonly keys?: Readonly<Record<string, MetadataValue | undefined>>;
  readonly tensors?: (tensors: readonly TinyTensor[]) => readonly TinyTensor[];
}

/** Describes one of the tiny models after a change. */
async function describeEdited(caseName: string, { keys = {}, tensors }: Edit): Promise<ModelDescription> {
  const found = architectureCases.find(({ name }) => name === caseName);
  if (found === undefined) throw new Error(`no case "${caseName}"`);
  const metadata = new Map(found.metadata);
  for (const [key, value] of Object.entries(keys)) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  const made = await makeTinyModel(metadata, tensors?.(found.tensors) ?? found.tensors, found.formats, 3);
  return describeModel(await openModelFile(bytesSource(made.bytes)));
}

const without =
  (name: string) =>
  (tensors: readonly TinyTensor[]): readonly TinyTensor[] => {
    const left = tensors.filter((tensor) => tensor.name !== name);
    expect(left).toHaveLength(tensors.length - 1);
    return left;
  };
const withMore =
  (tensor: TinyTensor) =>
  (tensors: readonly TinyTensor[]): readonly TinyTensor[] => [...tensors, tensor];

const seven = "qwen3, a norm before each projection, stored as halves";
const windows = "gemma3, sliding windows and two bases";
const yarn = "qwen3, norms of heads and YaRN";
const longrope = "minicpm, three scales and factors for long contexts";

describe("describeModel refuses", () => {
  it.each<readonly [string, string, string, string, Edit]>([
    [
      "one of seven norms missing",
      seven,
      "MODEL_INVALID",
      "blk.1.ffn_up_norm_in.weight",
      { tensors: without("blk.1.ffn_up_norm_in.weight") },
    ],
    [
      "all but one of seven norms missing",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "blk.1.ffn_up_norm_in",
      { tensors: withMore({ name: "blk.1.ffn_up_norm_in.weight", shape: [64], kind: "norm" }) },
    ],
    [
      "norms of heads missing",
      yarn,
      "MODEL_INVALID",
      "blk.0.attn_k_norm.weight",
      { tensors: without("blk.0.attn_k_norm.weight") },
    ],
    [
      "norms behind projections missing",
      windows,
      "MODEL_INVALID",
      "post_ffw_norm",
      { tensors: without("blk.2.post_ffw_norm.weight") },
    ],
    [
      "a bias where the family has none",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "attn_q.bias",
      { tensors: withMore({ name: "blk.0.attn_q.bias", shape: [64], kind: "bias" }) },
    ],
    [
      "a bias in some layers only",
      "qwen2, biases of queries, keys and values",
      "MODEL_INVALID",
      "blk.1.attn_v.bias",
      { tensors: without("blk.1.attn_v.bias") },
    ],
    [
      "a norm of heads where the family has none",
      "qwen2, biases of queries, keys and values",
      "UNSUPPORTED_ARCHITECTURE",
      "attn_q_norm",
      { tensors: withMore({ name: "blk.0.attn_q_norm.weight", shape: [16], kind: "norm" }) },
    ],
    [
      "factors of another scaling",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "rope_factors_long",
      {
        tensors: withMore({
          name: "rope_factors_long.weight",
          shape: [8],
          kind: new Float32Array(8).fill(1),
        }),
      },
    ],
    [
      "pooling by the first token",
      seven,
      "UNSUPPORTED_ARCHITECTURE",
      "pooling type 2",
      { keys: { "qwen3.pooling_type": 2 } },
    ],
    [
      "pooling of an unknown kind",
      seven,
      "UNSUPPORTED_ARCHITECTURE",
      "pooling type 77",
      { keys: { "qwen3.pooling_type": 77 } },
    ],
    [
      "capped logits",
      windows,
      "UNSUPPORTED_ARCHITECTURE",
      "final_logit_softcapping",
      { keys: { "gemma3.final_logit_softcapping": 30 } },
    ],
    [
      "attention that looks ahead",
      seven,
      "UNSUPPORTED_ARCHITECTURE",
      "looks ahead",
      { keys: { "qwen3.attention.causal": false } },
    ],
    ["experts", yarn, "UNSUPPORTED_ARCHITECTURE", "experts", { keys: { "qwen3.expert_count": 8 } }],
    [
      "an unknown scaling",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "dynamic",
      { keys: { "qwen3.rope.scaling.type": "dynamic" } },
    ],
    [
      "a scaling factor of zero",
      yarn,
      "MODEL_INVALID",
      "scaling.factor",
      { keys: { "qwen3.rope.scaling.factor": 0 } },
    ],
    [
      "a scaling that is no text",
      yarn,
      "MODEL_INVALID",
      "scaling.type",
      { keys: { "qwen3.rope.scaling.type": 1 } },
    ],
    [
      "a log multiplier that is no number",
      yarn,
      "MODEL_INVALID",
      "yarn_log_multiplier",
      { keys: { "qwen3.rope.scaling.yarn_log_multiplier": "x" } },
    ],
    [
      "flags of windows for other layers",
      windows,
      "UNSUPPORTED_ARCHITECTURE",
      "3 entries for 4 layers",
      { keys: { "gemma3.attention.sliding_window_pattern": [true, false, true] } },
    ],
    [
      "a window of less than nothing",
      windows,
      "MODEL_INVALID",
      "sliding_window",
      { keys: { "gemma3.attention.sliding_window": -4.5 } },
    ],
    [
      "a residual scale of zero",
      longrope,
      "MODEL_INVALID",
      "residual_scale",
      { keys: { "minicpm.residual_scale": 0 } },
    ],
    [
      "value heads of another size",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "value heads",
      { keys: { "qwen3.attention.key_length": 16, "qwen3.attention.value_length": 8 } },
    ],
    [
      "a part of heads turning that vectors cannot hold",
      yarn,
      "UNSUPPORTED_ARCHITECTURE",
      "12 dimensions",
      { keys: { "qwen3.rope.dimension_count": 12 } },
    ],
  ])("%s", async (_, caseName, code, message, edit) => {
    await expect(describeEdited(caseName, edit)).rejects.toMatchObject({
      name: "BitNetError",
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe("describeModel reads", () => {
  it.each([
    [0, undefined],
    [1, "mean"],
    [3, "last"],
  ] as const)("pooling type %i", async (type, pooling) => {
    const description = await describeEdited(seven, { keys: { "qwen3.pooling_type": type } });
    expect(description.pooling).toBe(pooling);
  });

  it("no pooling where the file has no such key", async () => {
    const description = await describeEdited(seven, { keys: { "qwen3.pooling_type": undefined } });
    expect(description.pooling).toBeUndefined();
  });

  it("a window of 0 as none", async () => {
    const description = await describeEdited(windows, { keys: { "gemma3.attention.sliding_window": 0 } });
    expect(description.layers.map(({ window }) => window)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(description.ropes).toHaveLength(1);
  });

  it("a factor without the name of a scaling as linear, under its old name too", async () => {
    for (const key of ["qwen3.rope.scaling.factor", "qwen3.rope.scale_linear"]) {
      const description = await describeEdited(yarn, {
        keys: { "qwen3.rope.scaling.type": undefined, "qwen3.rope.scaling.factor": undefined, [key]: 4 },
      });
      expect(description.ropes[0]).toMatchObject({ scale: 0.25, yarn: undefined, magnitude: 1 });
    }
  });

  it("no scaling where the file says so, whatever the factor", async () => {
    const description = await describeEdited(yarn, { keys: { "qwen3.rope.scaling.type": "none" } });
    expect(description.ropes[0]).toMatchObject({ scale: 1, yarn: undefined });
  });

  it("an extrapolation of -1 as llama.cpp writes the usual", async () => {
    const description = await describeEdited(yarn, { keys: { "qwen3.rope.scaling.yarn_ext_factor": -1.5 } });
    expect(description.ropes[0]?.yarn?.extrapolation).toBe(1);
  });

  it("the attention scale of Gemma 3 27B by its width, and of others by the size of heads", async () => {
    for (const [layers, attentionScale] of [
      [62, 1 / Math.sqrt(64 / 2)],
      [61, 1 / Math.sqrt(16)],
    ] as const) {
      const sizes = { layers, width: 64, feedForward: 32, heads: 2, kvHeads: 1, headSize: 16, vocabSize: 8 };
      const tensors = decoderTensors(sizes, [
        ["attn_q_norm", 16, "norm"],
        ["attn_k_norm", 16, "norm"],
        ["post_attention_norm", 64, "norm"],
        ["post_ffw_norm", 64, "norm"],
      ]);
      const metadata = decoderMetadata("gemma3", sizes, { "attention.key_length": 16 });
      const { bytes } = await makeTinyModel(metadata, tensors, { matrices: "F32", vectors: "F32" }, 3);
      const description = describeModel(await openModelFile(bytesSource(bytes)));
      expect(description.attentionScale, `${layers} layers`).toBe(attentionScale);
    }
  });
});
