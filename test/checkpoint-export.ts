import { openGguf } from "#dist/files/gguf.js";
import type { Metadata, ModelFile, TensorInfo } from "#dist/files/model-file.js";
import { bytesSource } from "#dist/platform/memory-source.js";
import { bf16, bfloat16ToNumber, float32ToBfloat16 } from "#dist/weight-formats/bf16.js";
import { f16 } from "#dist/weight-formats/f16.js";
import { f32 } from "#dist/weight-formats/f32.js";
import { float16ToNumber } from "#dist/weight-formats/float16.js";
import { packHf } from "#dist/weight-formats/hf-packed.js";
import { i2S } from "#dist/weight-formats/i2-s.js";
import type { WeightFormat } from "#dist/weight-formats/index.js";
import { type RawTensor, writeSafetensors, writeShards } from "./safetensors-bytes.js";
import { rewriteModel } from "./rewritten-model.js";
import { exportTokenizer } from "./tokenizer-export.js";

/**
 * GGUF models written as the checkpoints that they could have come from: the way back from src/checkpoints/, written
 * apart from it, with names, keys and orders of rows of its own.
 */

/** How a checkpoint stores its ternary matrices. */
export type Storage =
  | { readonly kind: "divide" | "multiply"; readonly dtype: "F32" | "BF16" | "F16" }
  | { readonly kind: "masters"; readonly dtype: "F32" | "BF16" | "F16" };

export interface ExportOptions {
  readonly storage: Storage;
  /** Tensors in each shard; one file if left out. */
  readonly tensorsPerShard?: number;
}

const formats: Readonly<Record<"F32" | "BF16" | "F16", WeightFormat>> = { F32: f32, BF16: bf16, F16: f16 };

interface Class {
  readonly name: string;
  readonly activation: string;
  readonly subNorms: readonly (readonly [string, string])[];
  readonly turnsNeighbours: boolean;
}

const classes: Readonly<Record<string, Class>> = {
  "bitnet-b1.58": {
    name: "BitNetForCausalLM",
    activation: "relu2",
    subNorms: [
      ["attn_sub_norm", "self_attn.attn_sub_norm"],
      ["ffn_sub_norm", "mlp.ffn_sub_norm"],
    ],
    turnsNeighbours: false,
  },
  bitnet: {
    name: "BitnetForCausalLM",
    activation: "silu",
    subNorms: [
      ["attn_sub_norm", "self_attn.inner_attn_ln"],
      ["ffn_sub_norm", "mlp.ffn_layernorm"],
    ],
    turnsNeighbours: false,
  },
  llama: { name: "LlamaForCausalLM", activation: "silu", subNorms: [], turnsNeighbours: true },
};

const parts: readonly (readonly [string, string])[] = [
  ["attn_norm", "input_layernorm"],
  ["ffn_norm", "post_attention_layernorm"],
  ["attn_q", "self_attn.q_proj"],
  ["attn_k", "self_attn.k_proj"],
  ["attn_v", "self_attn.v_proj"],
  ["attn_output", "self_attn.o_proj"],
  ["ffn_gate", "mlp.gate_proj"],
  ["ffn_up", "mlp.up_proj"],
  ["ffn_down", "mlp.down_proj"],
];

/** A scale as a checkpoint stores it, and the d that this stands for: few scales survive a reciprocal or a rounding. */
export function storedScale(
  d: number,
  { kind, dtype }: Storage,
): { readonly stored: number; readonly d: number } {
  const round = { F32: Math.fround, BF16: roundBf16, F16: (value: number) => roundF16(value) }[dtype];
  const stored = round(kind === "divide" ? 1 / d : d);
  return { stored, d: kind === "divide" ? Math.fround(1 / stored) : stored };
}

/** The GGUF file with scales that a checkpoint of this storage can express; masters express them all. */
export function withStoredScales(path: string, storage: Storage): Promise<Uint8Array> {
  return rewriteModel(path, ({ tensors }) => {
    if (storage.kind === "masters") return;
    for (const [name, tensor] of tensors) {
      if (tensor.typeId !== i2S.id) continue;
      const data = new Uint8Array(tensor.data);
      const view = new DataView(data.buffer, data.length - 32);
      let d = view.getFloat32(0, true);
      while (storedScale(d, storage).d !== d) d = storedScale(d, storage).d;
      view.setFloat32(0, d, true);
      tensors.set(name, { ...tensor, data });
    }
  });
}

/** The files of a checkpoint that says what the GGUF file says. */
export async function exportCheckpoint(
  gguf: Uint8Array,
  options: ExportOptions,
): Promise<Map<string, Uint8Array>> {
  const file = await openGguf(bytesSource(gguf));
  const tensors = new Map<string, RawTensor>();
  for (const tensor of file.tensors.values()) await exportTensor(file, tensor, options.storage, tensors);
  const files =
    options.tensorsPerShard === undefined
      ? new Map<string, Uint8Array>([["model.safetensors", writeSafetensors(tensors)]])
      : writeShards(tensors, options.tensorsPerShard);
  files.set("config.json", json(exportConfig(file, options.storage)));
  for (const [name, content] of Object.entries(exportTokenizer(file.metadata)))
    files.set(name, json(content));
  return files;
}

async function exportTensor(
  file: ModelFile,
  tensor: TensorInfo,
  storage: Storage,
  tensors: Map<string, RawTensor>,
): Promise<void> {
  const { turnsNeighbours, subNorms } = classOf(file.metadata);
  const bytes = await tensor.source.read(tensor.offset, tensor.bytes);
  const [cols = 0, rows = 1] = tensor.shape;
  const name = checkpointName(tensor.name, subNorms);
  const shape = tensor.shape.toReversed();
  if (tensor.type !== "I2_S") {
    tensors.set(name, { dtype: tensor.type, shape, data: bytes });
    return;
  }
  const d = new DataView(bytes.buffer).getFloat32(bytes.length - 32, true);
  const stored = i2S.decode(bytes, rows * cols);
  const turns = turnsNeighbours && /attn_[qk]\.weight$/.test(tensor.name);
  const values = turns ? withHalves(stored, rows, cols, headSizeOf(file.metadata)) : stored;
  if (storage.kind === "masters") {
    const master = mastersOf(values, d, storage.dtype);
    tensors.set(name, {
      dtype: storage.dtype,
      shape,
      data: formats[storage.dtype].encode?.(master) ?? bytes,
    });
    return;
  }
  const weights = Int8Array.from(values, Math.sign);
  tensors.set(name, { dtype: "U8", shape: [rows / 4, cols], data: packHf(weights, rows, cols) });
  const scale = Float32Array.of(storedScale(d, storage).stored);
  const data = formats[storage.dtype].encode?.(scale) ?? bytes;
  tensors.set(`${name}_scale`, { dtype: storage.dtype, shape: [1], data });
}

function checkpointName(name: string, subNorms: Class["subNorms"]): string {
  if (name === "token_embd.weight") return "model.embed_tokens.weight";
  if (name === "output_norm.weight") return "model.norm.weight";
  if (name === "output.weight") return "lm_head.weight";
  const [, layer, part] = /^blk\.(\d+)\.(.*)\.weight$/.exec(name) ?? [];
  const path = [...parts, ...subNorms].find(([gguf]) => gguf === part)?.[1];
  if (layer === undefined || path === undefined) throw new Error(`no name for ${name}`);
  return `model.layers.${layer}.${path}.weight`;
}

/** Rows of each head as a checkpoint has them: first all that GGUF has at even places, then the others. */
function withHalves(values: Float32Array, rows: number, cols: number, headSize: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const head = row - (row % headSize);
    const inHead = row - head;
    const from = head + (inHead < headSize / 2 ? 2 * inHead : 2 * (inHead - headSize / 2) + 1);
    result.set(values.subarray(from * cols, (from + 1) * cols), row * cols);
  }
  return result;
}

/**
 * Floats that become ternary as `values` are: magnitudes around d where a weight is not 0 and small ones elsewhere, whose
 * mean is d to the last bit of a float.
 */
export function mastersOf(values: Float32Array, d: number, dtype: "F32" | "BF16" | "F16"): Float32Array {
  const floor = { F32: floorF32, BF16: floorBf16, F16: floorF16 }[dtype];
  const nonzero = values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
  // Nearly all of the sum is in the weights; what is left fills zeros one by one, each to nearly half of d.
  const magnitude = floor((d * values.length * 0.97) / nonzero);
  let rest = d * values.length - magnitude * nonzero;
  const masters = values.map((value, index) => {
    if (value !== 0) return Math.sign(value) * magnitude;
    const part = floor(Math.min(rest, d * 0.45));
    rest -= part;
    return index % 2 === 0 ? part : -part;
  });
  const mean = masters.reduce((sum, value) => sum + Math.abs(value), 0) / masters.length;
  if (Math.fround(mean) !== Math.fround(d)) throw new Error(`masters have the mean ${mean}, not ${d}`);
  return masters;
}

function exportConfig({ metadata }: ModelFile, storage: Storage): Record<string, unknown> {
  const architecture = String(metadata.get("general.architecture"));
  const { name, activation } = classOf(metadata);
  const get = (key: string): unknown => metadata.get(`${architecture}.${key}`);
  return {
    architectures: [name],
    model_type: "whatever",
    hidden_act: activation,
    hidden_size: get("embedding_length"),
    intermediate_size: get("feed_forward_length"),
    max_position_embeddings: get("context_length"),
    num_attention_heads: get("attention.head_count"),
    num_hidden_layers: get("block_count"),
    num_key_value_heads: get("attention.head_count_kv"),
    // As Python prints the number that was meant.
    rms_norm_eps: Number((get("attention.layer_norm_rms_epsilon") as number).toPrecision(6)),
    rope_theta: get("rope.freq_base"),
    rope_scaling: null,
    tie_word_embeddings: name !== "LlamaForCausalLM",
    vocab_size: get("vocab_size"),
    bos_token_id: metadata.get("tokenizer.ggml.bos_token_id"),
    eos_token_id: metadata.get("tokenizer.ggml.eos_token_id"),
    quantization_config: quantizationConfig(storage),
  };
}

export function quantizationConfig({ kind }: Storage): Record<string, unknown> {
  switch (kind) {
    // As Falcon3 has it, where neither class nor mode are named.
    case "divide":
      return { quant_method: "bitnet", modules_to_not_convert: ["lm_head"] };
    case "multiply":
      return { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "offline" };
    case "masters":
      return { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" };
  }
}

function classOf(metadata: Metadata): Class {
  const found = classes[String(metadata.get("general.architecture"))];
  if (found === undefined) throw new Error("no class for this architecture");
  return found;
}

function headSizeOf(metadata: Metadata): number {
  return Number(metadata.get(`${String(metadata.get("general.architecture"))}.rope.dimension_count`));
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value, null, 2));
}

function roundBf16(value: number): number {
  return bfloat16ToNumber(float32ToBfloat16(Math.fround(value)));
}

function roundF16(value: number): number {
  const [bytes] = [f16.encode?.(Float32Array.of(value)) ?? new Uint8Array(2)];
  return float16ToNumber((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8));
}

/** The largest number of a dtype that is no larger than `value`, which is not negative. */
function floorBf16(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, floorF32(value));
  view.setUint16(2, 0);
  return view.getFloat32(0);
}

function floorF32(value: number): number {
  const rounded = Math.fround(value);
  if (rounded <= value) return rounded;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, rounded);
  view.setUint32(0, view.getUint32(0) - 1);
  return view.getFloat32(0);
}

function floorF16(value: number): number {
  const rounded = roundF16(value);
  if (rounded <= value) return rounded;
  const [bytes] = [f16.encode?.(Float32Array.of(rounded)) ?? new Uint8Array(2)];
  return float16ToNumber(((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8)) - 1);
}
