import type { ModelFile } from "../files/model-file.js";
import type {
  ArchitectureKeys,
  DecoderTraits,
  LayerDescription,
  ModelDescription,
  Pooling,
  ProjectionRole,
  Scales,
  VectorRole,
} from "./description.js";
import { keysOf, readPositive } from "./metadata.js";
import { type LayerAttention, readAttention } from "./rope.js";
import { readSizes } from "./sizes.js";
import { createTensorRoles } from "./tensors.js";

/**
 * Describes a decoder-only transformer: norm, attention, norm, gated feed-forward, each with a residual.
 *
 * Names and keys are GGUF's (github.com/ggml-org/ggml/blob/master/docs/gguf.md). A tensor that the graph
 * would not use is an error: a forgotten bias changes every token without a trace.
 */
export function describeDecoder(
  file: ModelFile,
  architecture: string,
  traits: DecoderTraits,
): ModelDescription {
  const keys = keysOf(file, architecture);
  refuseUnknownMathematics(keys);
  const sizes = readSizes(file, keys);
  const { width, feedForward, heads, kvHeads, headSize, vocabSize } = sizes;
  const tensors = createTensorRoles(file, architecture, `${architecture} model of ${sizes.layers} layers`);
  const attention = readAttention(keys, sizes, traits, tensors);
  const scales: Scales = {
    embedding: 1,
    residual: 1,
    attention: 1 / Math.sqrt(headSize),
    logits: 1,
    ...traits.scales?.(keys, sizes),
  };
  // A file has these in all layers or in none. If the first layer has one, every layer must.
  const projectionNorms = traits.projectionNorms === true && tensors.has("blk.0.attn_q_norm_in.weight");

  function layer(index: number, { rope, window }: LayerAttention): LayerDescription {
    const name = (part: string): string => `blk.${index}.${part}.weight`;
    const norm = (part: string, length: number): VectorRole => tensors.vector(name(part), length);
    const projection = (
      part: string,
      rows: number,
      cols: number,
      options: { readonly subNorm?: string; readonly postNorm?: string } = {},
    ): ProjectionRole => {
      const addsToResidual = options.postNorm !== undefined;
      const factor = addsToResidual ? scales.residual : 1;
      const hasBias = traits.biases === true && tensors.has(`blk.0.${part}.bias`);
      return {
        matrix: tensors.matrix(name(part), rows, cols, factor),
        inputNorm: projectionNorms
          ? norm(`${part}_norm_in`, cols)
          : options.subNorm !== undefined && traits.subNorms === true
            ? norm(options.subNorm, cols)
            : undefined,
        bias: hasBias ? tensors.vector(`blk.${index}.${part}.bias`, rows, factor) : undefined,
        outputNorm:
          options.postNorm !== undefined && traits.postNorms === true
            ? norm(options.postNorm, rows)
            : undefined,
      };
    };
    return {
      attentionNorm: norm("attn_norm", width),
      query: projection("attn_q", heads * headSize, width),
      key: projection("attn_k", kvHeads * headSize, width),
      value: projection("attn_v", kvHeads * headSize, width),
      queryNorm: traits.headNorms && norm("attn_q_norm", headSize),
      keyNorm: traits.headNorms && norm("attn_k_norm", headSize),
      rope,
      window,
      output: projection("attn_output", width, heads * headSize, {
        subNorm: "attn_sub_norm",
        postNorm: "post_attention_norm",
      }),
      feedForwardNorm: norm("ffn_norm", width),
      gate: projection("ffn_gate", feedForward, width),
      up: projection("ffn_up", feedForward, width),
      down: projection("ffn_down", width, feedForward, {
        subNorm: "ffn_sub_norm",
        postNorm: "post_ffw_norm",
      }),
    };
  }

  const embedding = tensors.matrix("token_embd.weight", vocabSize, width);
  const description: ModelDescription = {
    architecture,
    sizes,
    ropes: attention.ropes,
    gate: traits.gate,
    epsilon: readPositive(file, `${architecture}.attention.layer_norm_rms_epsilon`),
    attentionScale: scales.attention,
    embeddingScale: scales.embedding,
    embedding,
    // s · (W · x) = W · (s · x): the scale of the logits becomes a scale of the norm before the head. A tied
    // head does not share that norm.
    outputNorm: tensors.vector("output_norm.weight", width, scales.logits),
    head: tensors.has("output.weight") ? tensors.matrix("output.weight", vocabSize, width) : embedding,
    layers: attention.layers.map((each, index) => layer(index, each)),
    pooling: readPooling(keys),
  };
  tensors.requireAllUsed();
  return description;
}

/** GGUF's numbers: 0 no pooling, 1 the mean, 3 the last token; 2 the first token, 4 a ranking head. */
function readPooling(keys: ArchitectureKeys): Pooling | undefined {
  const value = keys.count("pooling_type", { min: 0, max: 255, fallback: 0 });
  const pooling =
    ([undefined, "mean", "refused", "last"] as const)[value] ?? (value === 0 ? undefined : "refused");
  if (pooling !== "refused") return pooling;
  throw keys.unsupported(
    `embeddings by pooling type ${value} are not made here (1, the mean, and 3, the last, are)`,
  );
}

/** Keys that change every token and that no graph here supports. */
function refuseUnknownMathematics(keys: ArchitectureKeys): void {
  for (const key of ["attn_logit_softcapping", "final_logit_softcapping"]) {
    if (keys.has(key) && keys.value(key) !== 0) throw keys.unsupported(`metadata "${key}" has no graph here`);
  }
  if (keys.value("attention.causal") === false) {
    throw keys.unsupported("attention that looks ahead has no graph here");
  }
  if (keys.has("expert_count") && keys.value("expert_count") !== 0) {
    throw keys.unsupported("a mixture of experts has no graph here");
  }
}
