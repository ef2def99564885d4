import { ternaryFloats } from "../../checkpoints/master-matrix.js";
import { BitNetError } from "../../errors.js";
import { planTensor, type TensorPlan } from "../../files/gguf-writer.js";
import type { ModelFile, TensorInfo } from "../../files/model-file.js";
import { float16ToNumber, numberToFloat16 } from "../../weight-formats/float16.js";
import { f32 } from "../../weight-formats/f32.js";
import { weightFormatByName, weightFormats, type WeightFormat } from "../../weight-formats/index.js";

/** Bytes per read while a scale is searched. */
const magnitudeBytes = 1 << 16;

/** A tensor of the new file: its source and its new format. */
export type TensorStep = ConvertStep | ScaleStep;

/** A tensor of the old file and the format to convert it to, possibly its own. */
export interface ConvertStep {
  readonly kind: "convert";
  readonly plan: TensorPlan;
  readonly tensor: TensorInfo & { readonly format: WeightFormat };
  readonly format: WeightFormat;
  /** Factor on the scale of an I2_S result, from a separate scale tensor of the old file. */
  readonly scaledBy: number;
  /** Codes only: the scale becomes a separate tensor of the new file. */
  readonly unscaled: boolean;
}

/** The scale of a matrix as a tensor, F32 [1]. */
export interface ScaleStep {
  readonly kind: "scale";
  readonly plan: TensorPlan;
  readonly scale: number;
}

export interface ConversionPlan {
  readonly steps: readonly TensorStep[];
  /** The type of most matrices in the new file, for `general.file_type`. */
  readonly format: WeightFormat;
  /** Tensors whose new format stores the scale as a half, and the largest relative change. */
  readonly roundedScales: { readonly tensors: number; readonly largestChange: number };
}

export interface FormatChoice {
  readonly format: WeightFormat;
  /** Undefined: unchanged for a GGUF file, F16 for a checkpoint. */
  readonly headFormat: WeightFormat | undefined;
  readonly exactScales: boolean;
}

/** Names of the formats that tensors can be converted to, as people type them. */
export const convertibleTypes: readonly string[] = weightFormats
  // A fork's layout with another format's id is read, and no longer written.
  .filter((format, index) => {
    const first = weightFormats.findIndex(({ id }) => id === format.id);
    return format.encode !== undefined && first === index;
  })
  .map(({ name }) => name.toLowerCase());

/** @throws BitNetError INVALID_ARGUMENT for a name outside `convertibleTypes`. */
export function requireType(option: "type" | "headType", name: string): WeightFormat {
  const format = convertibleTypes.includes(name.toLowerCase()) ? weightFormatByName(name) : undefined;
  if (format !== undefined) return format;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid ${option}: "${name.slice(0, 40)}" (expected ${convertibleTypes.join(", ")})`,
    { details: { option, value: name } },
  );
}

/**
 * Decides the new format of each tensor. Reads the scales of ternary matrices, but no other weights.
 *
 * @throws BitNetError UNSUPPORTED_TENSOR_TYPE for unreadable tensors; INVALID_ARGUMENT for a format whose
 *   blocks do not fit the rows of a matrix.
 */
export async function planConversion(file: ModelFile, choice: FormatChoice): Promise<ConversionPlan> {
  const steps: TensorStep[] = [];
  const folded = new Set<string>();
  let rounded = 0;
  let largestChange = 0;
  for (const tensor of file.tensors.values()) {
    // A scale is handled with its matrix.
    if (folded.has(tensor.name) || matrixOfScale(file, tensor.name) !== undefined) continue;
    if (tensor.format === undefined) throw unreadable(file, tensor);
    const readable = { ...tensor, format: tensor.format };
    const format = formatFor(file, readable, choice);
    requireRowsFit(file, tensor, format);
    const beside = await scaleBeside(file, tensor);
    const isNew = format !== tensor.format;
    const folds = isNew && format.name === "I2_S" && beside !== undefined && beside > 0;
    const d = isNew && storesHalfScales(format) ? await readTensorScale(readable) : undefined;
    const change = d === undefined ? 0 : halfChange(d);
    const unscaled = change > 0 && choice.exactScales;
    if (change > 0 && !unscaled) {
      rounded += 1;
      largestChange = Math.max(largestChange, change);
    }
    steps.push({
      kind: "convert",
      plan: planTensor(tensor.name, tensor.shape, format),
      tensor: readable,
      format,
      scaledBy: folds ? (beside ?? 1) : 1,
      unscaled,
    });
    const scale = unscaled ? (d ?? 1) * (beside ?? 1) : folds ? undefined : beside;
    if (scale !== undefined) {
      steps.push({
        kind: "scale",
        plan: planTensor(scaleName(tensor.name), [1], f32),
        scale: Math.fround(scale),
      });
    }
    folded.add(scaleName(tensor.name));
  }
  return { steps, format: choice.format, roundedScales: { tensors: rounded, largestChange } };
}

function formatFor(
  file: ModelFile,
  tensor: TensorInfo & { readonly format: WeightFormat },
  { format, headFormat }: FormatChoice,
): WeightFormat {
  const isCheckpoint = file.container === "checkpoint";
  const rows = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
  // Norms, biases and divisors of frequencies: small, and other engines expect F32.
  if (rows === 1) return isCheckpoint ? f32 : tensor.format;
  if (/^blk\.\d+\..+\.weight$/.test(tensor.name)) return format;
  const isTied = !file.tensors.has("output.weight");
  const isHead = tensor.name === "output.weight" || (isTied && tensor.name === "token_embd.weight");
  if (isHead && headFormat !== undefined) return headFormat;
  if (!isCheckpoint) return tensor.format;
  // A lossless float type applies to all tensors.
  const isFloat = format.name === "F32" || format.name === "BF16";
  return isFloat ? format : requireType("type", "f16");
}

function requireRowsFit(file: ModelFile, { name, shape }: TensorInfo, format: WeightFormat): void {
  const [cols = 1] = shape;
  if (cols % format.blockElements === 0) return;
  const fitting = convertibleTypes.filter(
    (type) => cols % (weightFormatByName(type)?.blockElements ?? 1) === 0,
  );
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot convert "${file.source.name}": "${name}" has rows of ${cols}, and ${format.name} holds blocks of ${format.blockElements}; ` +
      `types that fit are ${fitting.join(", ")}`,
    { details: { tensor: name, cols, blockElements: format.blockElements } },
  );
}

/** The matrix that a tensor scales: "blk.0.attn_q.scale" belongs to "blk.0.attn_q.weight". */
function matrixOfScale(file: ModelFile, name: string): string | undefined {
  const matrix = name.replace(/\.scale$/, ".weight");
  return matrix !== name && file.tensors.has(matrix) ? matrix : undefined;
}

function scaleName(matrix: string): string {
  return matrix.replace(/\.weight$/, ".scale");
}

async function scaleBeside(file: ModelFile, { name }: TensorInfo): Promise<number | undefined> {
  const scale = name.endsWith(".weight") ? file.tensors.get(scaleName(name)) : undefined;
  if (scale === undefined) return undefined;
  if (scale.format?.name !== "F32" || scale.bytes !== 4) throw unreadable(file, scale);
  const [value] = scale.format.decode(await scale.source.read(scale.offset, scale.bytes), 1);
  return value;
}

/** Ternary formats of blocks with a half as their scale. */
function storesHalfScales(format: WeightFormat): boolean {
  return format.ternary && format.name !== "I2_S";
}

/** d of a tensor with one scale for all of its weights. */
async function readTensorScale(tensor: TensorInfo): Promise<number | undefined> {
  if (tensor.type === ternaryFloats.name) return readFirstMagnitude(tensor);
  if (tensor.type !== "I2_S") return undefined;
  const tail = await tensor.source.read(tensor.offset + tensor.bytes - 32, 4);
  return new DataView(tail.buffer, tail.byteOffset).getFloat32(0, true);
}

/** The magnitude of the first nonzero weight. 0 if all are 0. */
async function readFirstMagnitude({ source, offset, bytes }: TensorInfo): Promise<number> {
  for (let begin = 0; begin < bytes; begin += magnitudeBytes) {
    const piece = await source.read(offset + begin, Math.min(magnitudeBytes, bytes - begin));
    const values = new Float32Array(piece.buffer, piece.byteOffset, piece.length / 4);
    const found = values.find((value) => value !== 0);
    if (found !== undefined) return Math.abs(found);
  }
  return 0;
}

/** The relative change of a scale when it becomes a half. */
function halfChange(d: number): number {
  return d === 0 ? 0 : Math.abs(float16ToNumber(numberToFloat16(d)) / d - 1);
}

function unreadable(file: ModelFile, { name, type }: TensorInfo): BitNetError {
  return new BitNetError(
    "UNSUPPORTED_TENSOR_TYPE",
    `Cannot convert "${file.source.name}": tensor "${name}" has type ${type}, which this release does not read`,
    { details: { tensor: name, type } },
  );
}
