import { planTensor, type GgufValue, writeGguf } from "#dist/files/gguf-writer.js";
import type { Metadata, MetadataValue } from "#dist/files/model-file.js";
import { float16ToNumber, numberToFloat16 } from "#dist/weight-formats/float16.js";
import { weightFormatByName, type WeightFormat } from "#dist/weight-formats/index.js";
import { createNumbers } from "../kernels/numbers.js";
import { memorySink } from "./memory-sink.js";
import { randomBlocks } from "./random-blocks.js";
import type { ReferenceTensor } from "../reference/decoder.js";

/** The sizes of a model that is small enough for a slow reference. */
export interface TinySizes {
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabSize: number;
}

/** A tensor to generate: random weights, norm weights around 1, or given values. */
export interface TinyTensor {
  readonly name: string;
  /** Fastest-varying size first. */
  readonly shape: readonly number[];
  readonly kind: "matrix" | "norm" | "bias" | Float32Array;
}

/** How the parts of a model are stored. */
export interface TinyFormats {
  /** The name of the format of the layers' matrices. */
  readonly matrices: string;
  readonly vectors: "F32" | "F16";
  /** The format of the embedding and the head. Default: the format of matrices, or F16 with I2_S. */
  readonly embedding?: string;
}

/** A model as a file, and the meaning of the file. */
export interface TinyModel {
  readonly bytes: Uint8Array;
  readonly tensors: ReadonlyMap<string, ReferenceTensor>;
}

/**
 * Sizes of groups with one scale, in which activations are rounded, for formats whose blocks have their own
 * scales.
 */
const groupSizes: Readonly<Record<string, number>> = {
  TQ1_0: 128,
  TQ2_0: 128,
  Q1_0: 128,
  Q2_0: 64,
  Q2_0_G128: 128,
};

/** The tensors of every decoder. `extra` names more vectors of each layer, with their lengths. */
export function decoderTensors(
  sizes: TinySizes,
  extra: readonly (readonly [string, number, "norm" | "bias"])[] = [],
): readonly TinyTensor[] {
  const { layers, width, feedForward, heads, kvHeads, headSize, vocabSize } = sizes;
  const [queryWidth, kvWidth] = [heads * headSize, kvHeads * headSize];
  const blocks = Array.from({ length: layers }, (_, layer): TinyTensor[] => [
    ...(
      [
        ["attn_q", width, queryWidth],
        ["attn_k", width, kvWidth],
        ["attn_v", width, kvWidth],
        ["attn_output", queryWidth, width],
        ["ffn_gate", width, feedForward],
        ["ffn_up", width, feedForward],
        ["ffn_down", feedForward, width],
      ] as const
    ).map(([name, cols, rows]) => ({
      name: `blk.${layer}.${name}.weight`,
      shape: [cols, rows],
      kind: "matrix" as const,
    })),
    ...[["attn_norm", width, "norm"] as const, ["ffn_norm", width, "norm"] as const, ...extra].map(
      ([name, length, kind]) => ({
        name: `blk.${layer}.${name}.${kind === "bias" ? "bias" : "weight"}`,
        shape: [length],
        kind,
      }),
    ),
  ]);
  return [
    { name: "token_embd.weight", shape: [width, vocabSize], kind: "matrix" },
    ...blocks.flat(),
    { name: "output_norm.weight", shape: [width], kind: "norm" },
  ];
}

/** The metadata keys of every decoder. */
export function decoderMetadata(
  architecture: string,
  sizes: TinySizes,
  more: Readonly<Record<string, MetadataValue>> = {},
): Metadata {
  const entries = {
    block_count: sizes.layers,
    embedding_length: sizes.width,
    feed_forward_length: sizes.feedForward,
    vocab_size: sizes.vocabSize,
    context_length: 128,
    "attention.head_count": sizes.heads,
    "attention.head_count_kv": sizes.kvHeads,
    "attention.layer_norm_rms_epsilon": 1e-5,
    ...more,
  };
  return new Map<string, MetadataValue>([
    ["general.architecture", architecture],
    ...Object.entries(entries).map(([key, value]): [string, MetadataValue] => [
      `${architecture}.${key}`,
      value,
    ]),
  ]);
}

/**
 * Makes a model of random weights. Ternary weights are 0 or ±d. Each block has its own d if the format allows
 * it.
 */
export async function makeTinyModel(
  metadata: Metadata,
  tensors: readonly TinyTensor[],
  { matrices, vectors, embedding = matrices === "I2_S" ? "F16" : matrices }: TinyFormats,
  seed: number,
): Promise<TinyModel> {
  const numbers = createNumbers(seed);
  /** Uniform around 0 with a standard deviation. */
  const even = (count: number, deviation: number): Float32Array =>
    Float32Array.from(
      { length: count },
      () => (numbers.whole(-32768, 32767) / 32768) * Math.sqrt(3) * deviation,
    );
  /** Zeros and ±d, or only signs. d belongs to the tensor, or varies around it for each block. */
  const ternary = (count: number, d: number, { name, blockElements }: WeightFormat): Float32Array => {
    const values = numbers.ternary(count).map((value) => (name === "Q1_0" && value === 0 ? 1 : value));
    const scales = Array.from(
      { length: count / blockElements },
      () => d * (0.5 + numbers.whole(0, 1000) / 1000),
    );
    return Float32Array.from(values, (value, i) => {
      if (groupSizes[name] === undefined) return Math.fround(value * d);
      return value * float16ToNumber(numberToFloat16(scales[Math.floor(i / blockElements)] ?? NaN));
    });
  };
  const made = tensors.map(({ name, shape, kind }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const inLayer = name.startsWith("blk.");
    const type =
      kind === "matrix" ? (inLayer ? matrices : embedding) : typeof kind === "object" ? "F32" : vectors;
    const format = weightFormatByName(type);
    if (format === undefined) throw new Error(`no format ${type}`);
    const deviation = inLayer ? 1 / Math.sqrt(shape[0] ?? 1) : 0.5;
    const values =
      typeof kind === "object"
        ? kind
        : kind === "norm"
          ? even(count, 0.3).map((value) => 1 + value)
          : kind === "bias"
            ? even(count, 0.3)
            : format.ternary
              ? ternary(count, deviation * 1.2, format)
              : even(count, deviation);
    const data = format.encode?.(values) ?? randomBlocks(format, count, deviation, numbers);
    const groupSize = format.affine === undefined ? groupSizes[format.name] : 32;
    const stored = { shape, values: format.decode(data, count), ternary: format.ternary, groupSize };
    return { plan: planTensor(name, shape, format), data, stored };
  });
  const sink = memorySink();
  const typed = new Map([...metadata].map(([key, value]) => [key, typedValue(key, value)]));
  await writeGguf(sink, { metadata: typed, tensors: made.map(({ plan }) => plan) }, async (write) => {
    for (const { plan, data } of made) await write(plan.name, data);
  });
  const bytes = sink.committed();
  if (bytes === undefined) throw new Error("nothing was written");
  return { bytes, tensors: new Map(made.map(({ plan, stored }) => [plan.name, stored])) };
}

function typedValue(key: string, value: MetadataValue): GgufValue {
  if (typeof value === "string") return { type: "string", value };
  if (typeof value === "boolean") return { type: "bool", value };
  if (typeof value === "number") return { type: Number.isInteger(value) ? "uint32" : "float32", value };
  if (value instanceof Int32Array) return { type: "int32[]", value };
  if (value instanceof Float32Array) return { type: "float32[]", value };
  if (Array.isArray(value) && value.every((item) => typeof item === "string"))
    return { type: "string[]", value };
  if (Array.isArray(value) && value.every((item) => typeof item === "boolean"))
    return { type: "bool[]", value };
  throw new Error(`no type is known for "${key}"`);
}
