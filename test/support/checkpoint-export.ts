import { openGguf } from "#dist/files/gguf.js";
import type { ModelFile, TensorInfo } from "#dist/files/model-file.js";
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
import {
  checkpointName,
  type ExportFamily,
  exportRopeScaling,
  familyOf,
  headSizeOf,
} from "./checkpoint-families.js";
import { exportTokenizer } from "./tokenizer-export.js";

/**
 * GGUF models written as checkpoints: the reverse of src/checkpoints/. The code is independent of it, with
 * its own names, keys and orders of rows.
 */

/** The storage of ternary matrices in a checkpoint. */
export type Storage =
  | { readonly kind: "divide" | "multiply"; readonly dtype: "F32" | "BF16" | "F16" }
  | { readonly kind: "masters"; readonly dtype: "F32" | "BF16" | "F16" };

export interface ExportOptions {
  readonly storage: Storage;
  /** Tensors in each shard. Default: one file. */
  readonly tensorsPerShard?: number;
}

const formats: Readonly<Record<"F32" | "BF16" | "F16", WeightFormat>> = { F32: f32, BF16: bf16, F16: f16 };

/** A scale in a checkpoint, and the d that it represents. Few scales survive a reciprocal or a rounding. */
export function storedScale(
  d: number,
  { kind, dtype }: Storage,
): { readonly stored: number; readonly d: number } {
  const round = { F32: Math.fround, BF16: roundBf16, F16: (value: number) => roundF16(value) }[dtype];
  const stored = round(kind === "divide" ? 1 / d : d);
  return { stored, d: kind === "divide" ? Math.fround(1 / stored) : stored };
}

/** The GGUF file with scales that a checkpoint of this storage can express. Masters can express all. */
export function withStoredScales(model: string | Uint8Array, storage: Storage): Promise<Uint8Array> {
  return rewriteModel(model, ({ tensors }) => {
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

/** A checkpoint before it is written. Tests can change it. */
export interface CheckpointParts {
  readonly tensors: Map<string, RawTensor>;
  readonly config: Record<string, unknown>;
  /** tokenizer.json, tokenizer_config.json. */
  readonly tokenizer: Record<string, unknown>;
}

/** The files of a checkpoint with the same content as the GGUF file. */
export async function exportCheckpoint(
  gguf: Uint8Array,
  options: ExportOptions,
  edit: (parts: CheckpointParts) => void = () => undefined,
): Promise<Map<string, Uint8Array>> {
  const file = await openGguf(bytesSource(gguf));
  const family = familyOf(file.metadata);
  const tensors = new Map<string, RawTensor>();
  for (const tensor of file.tensors.values())
    await exportTensor(file, tensor, family, options.storage, tensors);
  const parts: CheckpointParts = {
    tensors,
    config: await exportConfig(file, family, options.storage),
    tokenizer: exportTokenizer(file.metadata),
  };
  edit(parts);
  return writeCheckpoint(parts, options.tensorsPerShard);
}

export function writeCheckpoint(
  { tensors, config, tokenizer }: CheckpointParts,
  tensorsPerShard?: number,
): Map<string, Uint8Array> {
  const files =
    tensorsPerShard === undefined
      ? new Map<string, Uint8Array>([["model.safetensors", writeSafetensors(tensors)]])
      : writeShards(tensors, tensorsPerShard);
  files.set("config.json", json(config));
  for (const [name, content] of Object.entries(tokenizer)) files.set(name, json(content));
  return files;
}

async function exportTensor(
  file: ModelFile,
  tensor: TensorInfo,
  family: ExportFamily,
  storage: Storage,
  tensors: Map<string, RawTensor>,
): Promise<void> {
  // The converter computes these from config.json.
  if (tensor.name.startsWith("rope_")) return;
  const { format, name: ggufName } = tensor;
  if (format === undefined) throw new Error(`${tensor.type} is not read`);
  const bytes = await tensor.source.read(tensor.offset, tensor.bytes);
  const [cols = 0, rows = 1] = tensor.shape;
  const name = checkpointName(ggufName, family);
  const shape = tensor.shape.toReversed();
  const turns = family.turnsNeighbours && /attn_[qk]\.(weight|bias)$/.test(ggufName);
  const [turnRows, turnCols] = tensor.shape.length === 1 ? [cols, 1] : [rows, cols];
  const stored = format.decode(bytes, rows * cols);
  const values = turns ? withHalves(stored, turnRows, turnCols, headSizeOf(file.metadata)) : stored;
  if (tensor.type !== "I2_S") {
    const lessOne = family.normsLessOne.test(ggufName) ? values.map((value) => value - 1) : values;
    // Norms less 1 are stored in F32, which loses nothing.
    const dtype = lessOne === values ? format : f32;
    tensors.set(name, { dtype: dtype.name, shape, data: dtype.encode?.(lessOne) ?? bytes });
    return;
  }
  const d = new DataView(bytes.buffer).getFloat32(bytes.length - 32, true);
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

/** Rows of each head in a checkpoint's order: first GGUF's even rows, then the odd ones. */
function withHalves(values: Float32Array, rows: number, cols: number, headSize: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row += 1) {
    const head = row - (row % headSize);
    const inHead = row - head;
    const from = head + (inHead < headSize / 2 ? 2 * inHead : 2 * (inHead - headSize / 2) + 1);
    result.set(values.subarray(from * cols, (from + 1) * cols), row * cols);
  }
  return result;
}

/**
 * Floats that round to the ternary `values`. Magnitudes are around d at nonzero weights and small elsewhere.
 * Their mean is exactly d.
 */
export function mastersOf(values: Float32Array, d: number, dtype: "F32" | "BF16" | "F16"): Float32Array {
  const floor = { F32: floorF32, BF16: floorBf16, F16: floorF16 }[dtype];
  const nonzero = values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
  // Nonzero weights make nearly all of the sum. The rest goes to zeros one by one, each up to nearly half of
  // d.
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

async function exportConfig(
  file: ModelFile,
  family: ExportFamily,
  storage: Storage,
): Promise<Record<string, unknown>> {
  const { metadata } = file;
  const architecture = String(metadata.get("general.architecture"));
  const get = (key: string): unknown => metadata.get(`${architecture}.${key}`);
  const isTernary = [...file.tensors.values()].some(({ type }) => type === "I2_S");
  return {
    architectures: [family.className],
    model_type: "whatever",
    hidden_act: family.activation,
    hidden_size: get("embedding_length"),
    intermediate_size: get("feed_forward_length"),
    max_position_embeddings: get("context_length"),
    num_attention_heads: get("attention.head_count"),
    num_hidden_layers: get("block_count"),
    num_key_value_heads: get("attention.head_count_kv"),
    head_dim: headSizeOf(metadata),
    // As Python prints the intended number.
    rms_norm_eps: Number((get("attention.layer_norm_rms_epsilon") as number).toPrecision(6)),
    rope_theta: get("rope.freq_base") ?? 10000,
    rope_scaling: await exportRopeScaling(file),
    tie_word_embeddings: !file.tensors.has("output.weight"),
    vocab_size: get("vocab_size"),
    bos_token_id: metadata.get("tokenizer.ggml.bos_token_id"),
    eos_token_id: metadata.get("tokenizer.ggml.eos_token_id"),
    ...family.ownConfig?.(get),
    quantization_config: isTernary
      ? quantizationConfig(storage)
      : { quant_method: "bitnet", modules_to_not_convert: ["lm_head", "self_attn", "mlp"] },
  };
}

export function quantizationConfig({ kind }: Storage): Record<string, unknown> {
  switch (kind) {
    // As in Falcon3, where the file names neither class nor mode.
    case "divide":
      return { quant_method: "bitnet", modules_to_not_convert: ["lm_head"], use_rms_norm: false };
    case "multiply":
      return { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "offline" };
    case "masters":
      return { quant_method: "bitnet", linear_class: "autobitlinear", quantization_mode: "online" };
  }
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

/** The largest number of a dtype that is not above `value`. `value` is not negative. */
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
