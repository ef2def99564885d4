import { BitNetError } from "../errors.js";
import type { ModelFile } from "../files/model-file.js";
import type {
  DecoderTraits,
  LayerDescription,
  MatrixRole,
  ModelDescription,
  ModelSizes,
  RopeDescription,
  VectorRole,
} from "./description.js";
import { invalid, readCount, readPositive } from "./metadata.js";

/** Tensors that files carry and graphs do without: tables that we compute. */
const unused = /(^|\.)(rope_freqs|attn_rot_embd)\.weight$/;

/**
 * Describes a decoder-only transformer: norm, attention, norm, gated feed-forward, each with a residual.
 *
 * Names and keys are those of GGUF (github.com/ggml-org/ggml/blob/master/docs/gguf.md). A tensor that the graph would not
 * use is an error rather than ignored: a bias left out changes every token without a trace.
 */
export function describeDecoder(
  file: ModelFile,
  architecture: string,
  traits: DecoderTraits,
): ModelDescription {
  const sizes = readSizes(file, architecture);
  const { width, feedForward, heads, kvHeads, headSize, vocabSize } = sizes;
  const used = new Set<string>();

  function requireShape(tensor: string, shape: readonly number[]): void {
    const info = file.tensors.get(tensor);
    if (info === undefined) {
      throw invalid(
        file,
        `tensor "${tensor}" is missing; a ${architecture} model of ${sizes.layers} layers has it`,
        { tensor },
      );
    }
    const actual = [...info.shape];
    while (actual.length > shape.length && actual.at(-1) === 1) actual.pop();
    if (actual.length !== shape.length || actual.some((size, i) => size !== shape[i])) {
      throw invalid(
        file,
        `tensor "${tensor}" has shape [${info.shape.join(", ")}], and the metadata says [${shape.join(", ")}]`,
        {
          tensor,
          shape: info.shape,
          expected: shape,
        },
      );
    }
    used.add(tensor);
  }
  function vector(tensor: string, length: number): VectorRole {
    requireShape(tensor, [length]);
    return { tensor, length };
  }
  function matrix(tensor: string, rows: number, cols: number): MatrixRole {
    requireShape(tensor, [cols, rows]);
    const scale = tensor.replace(/\.weight$/, ".scale");
    const outputScale = file.tensors.has(scale) ? scale : undefined;
    if (outputScale !== undefined) requireShape(outputScale, [1]);
    return { tensor, rows, cols, outputScale };
  }
  function layer(index: number): LayerDescription {
    const name = (part: string): string => `blk.${index}.${part}.weight`;
    return {
      attentionNorm: vector(name("attn_norm"), width),
      query: matrix(name("attn_q"), heads * headSize, width),
      key: matrix(name("attn_k"), kvHeads * headSize, width),
      value: matrix(name("attn_v"), kvHeads * headSize, width),
      attentionSubNorm: traits.subNorms ? vector(name("attn_sub_norm"), heads * headSize) : undefined,
      output: matrix(name("attn_output"), width, heads * headSize),
      feedForwardNorm: vector(name("ffn_norm"), width),
      gate: matrix(name("ffn_gate"), feedForward, width),
      up: matrix(name("ffn_up"), feedForward, width),
      feedForwardSubNorm: traits.subNorms ? vector(name("ffn_sub_norm"), feedForward) : undefined,
      down: matrix(name("ffn_down"), width, feedForward),
    };
  }

  const embedding = matrix("token_embd.weight", vocabSize, width);
  const description: ModelDescription = {
    architecture,
    sizes,
    rope: readRope(file, architecture, sizes, traits, vector),
    gate: traits.gate,
    epsilon: readPositive(file, `${architecture}.attention.layer_norm_rms_epsilon`),
    attentionScale: 1 / Math.sqrt(headSize),
    embedding,
    outputNorm: vector("output_norm.weight", width),
    head: file.tensors.has("output.weight") ? matrix("output.weight", vocabSize, width) : embedding,
    layers: Array.from({ length: sizes.layers }, (_, index) => layer(index)),
  };
  for (const tensor of file.tensors.keys()) {
    if (used.has(tensor) || unused.test(tensor)) continue;
    throw new BitNetError(
      "UNSUPPORTED_ARCHITECTURE",
      `Cannot run "${file.source.name}": tensor "${tensor}" has no place in the ${architecture} graph, and leaving it out would give wrong text`,
      { details: { tensor, architecture } },
    );
  }
  return description;
}

/** Limits are far above any published model, and keep products of sizes exact. */
function readSizes(file: ModelFile, architecture: string): ModelSizes {
  const key = (name: string): string => `${architecture}.${name}`;
  const heads = readCount(file, key("attention.head_count"), { least: 1, most: 4096 });
  const kvHeads = readCount(file, key("attention.head_count_kv"), { least: 1, most: 4096, fallback: heads });
  const width = readCount(file, key("embedding_length"), { least: 32, most: 1 << 20 });
  const headSize = readCount(file, key("attention.key_length"), {
    least: 4,
    most: 4096,
    fallback: Math.floor(width / heads),
  });
  const valueSize = readCount(file, key("attention.value_length"), {
    least: 4,
    most: 4096,
    fallback: headSize,
  });
  const embedding = file.tensors.get("token_embd.weight");
  const sizes: ModelSizes = {
    layers: readCount(file, key("block_count"), { least: 1, most: 4096 }),
    width,
    feedForward: readCount(file, key("feed_forward_length"), { least: 32, most: 1 << 22 }),
    heads,
    kvHeads,
    headSize,
    vocabSize: readCount(file, key("vocab_size"), {
      least: 1,
      most: 1 << 24,
      fallback: embedding?.shape[1] ?? 0,
    }),
    contextLength: readCount(file, key("context_length"), { least: 1, most: 1 << 26 }),
  };
  if (heads % kvHeads !== 0) {
    throw invalid(file, `${heads} query heads cannot share ${kvHeads} key and value heads evenly`, {
      heads,
      kvHeads,
    });
  }
  if (valueSize !== headSize) {
    throw new BitNetError(
      "UNSUPPORTED_ARCHITECTURE",
      `Cannot run "${file.source.name}": value heads of ${valueSize} beside key heads of ${headSize} have no graph here`,
    );
  }
  // Kernels work on whole vectors: 16 columns where activations are quantized, 8 within a head.
  for (const [what, size, multiple] of [
    ["width", width, 32],
    ["feed-forward length", sizes.feedForward, 32],
    ["query width", heads * headSize, 32],
    ["head size", headSize, 8],
  ] as const) {
    if (size % multiple !== 0) {
      throw new BitNetError(
        "UNSUPPORTED_ARCHITECTURE",
        `Cannot run "${file.source.name}": its ${what} of ${size} is not a multiple of ${multiple}`,
      );
    }
  }
  return sizes;
}

function readRope(
  file: ModelFile,
  architecture: string,
  sizes: ModelSizes,
  traits: DecoderTraits,
  vector: (tensor: string, length: number) => VectorRole,
): RopeDescription {
  const dimensions = readCount(file, `${architecture}.rope.dimension_count`, {
    least: 8,
    most: sizes.headSize,
    fallback: sizes.headSize,
  });
  const scaling = file.metadata.get(`${architecture}.rope.scaling.type`) ?? "none";
  if (dimensions % 8 !== 0 || (scaling !== "none" && scaling !== "linear")) {
    throw new BitNetError(
      "UNSUPPORTED_ARCHITECTURE",
      `Cannot run "${file.source.name}": rotary embedding of ${dimensions} dimensions with "${String(scaling).slice(0, 32)}" scaling has no graph here`,
      { details: { dimensions, scaling: String(scaling).slice(0, 32) } },
    );
  }
  return {
    pairing: traits.pairing,
    dimensions,
    base: readPositive(file, `${architecture}.rope.freq_base`, 10000),
    scale: scaling === "linear" ? 1 / readPositive(file, `${architecture}.rope.scaling.factor`, 1) : 1,
    factors: file.tensors.has("rope_freqs.weight") ? vector("rope_freqs.weight", dimensions / 2) : undefined,
  };
}
