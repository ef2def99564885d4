import { weightFormatById, weightFormatByName, type WeightFormat } from "#dist/weight-formats/index.js";
import { f32 as f32Format } from "#dist/weight-formats/f32.js";
import { float16ToNumber, numberToFloat16 } from "#dist/weight-formats/float16.js";
import { createNumbers, type Numbers } from "../kernels/numbers.js";
import { type EditedTensor, encodeTensor, rewriteModel } from "./rewritten-model.js";

/** A model with its matrices in another format, and the same numbers as F32 for comparison. */
export interface ReformattedModel {
  readonly model: Uint8Array;
  readonly inF32: Uint8Array;
}

/** The format of a name. The name must exist. */
export function formatOf(name: string): WeightFormat {
  const format = weightFormatByName(name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}

/**
 * Writes a model with every matrix in another format. Each weight changes by some fraction, so that all
 * blocks differ.
 *
 * @param formatFor the format of a matrix by its name. Undefined keeps the matrix.
 */
export async function reformatModel(
  path: string,
  formatFor: (tensor: string) => WeightFormat | undefined,
): Promise<ReformattedModel> {
  const numbers = createNumbers(2024);
  const decoded = new Map<string, EditedTensor>();
  const model = await rewriteModel(path, ({ tensors }) => {
    for (const [name, tensor] of tensors) {
      const format = tensor.shape.length === 2 ? formatFor(name) : undefined;
      if (format === undefined) continue;
      const encoded = encodeTensor(format, tensor.shape, valuesFor(format, tensor, numbers));
      tensors.set(name, encoded);
      const values = format.decode(encoded.data, elementsOf(tensor));
      decoded.set(name, encodeTensor(f32Format, tensor.shape, values));
    }
  });
  const inF32 = await rewriteModel(path, ({ tensors }) => {
    for (const [name, tensor] of decoded) tensors.set(name, tensor);
  });
  return { model, inF32 };
}

function elementsOf({ shape }: EditedTensor): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The tensor's values with a small change, as the format can hold them. */
function valuesFor(format: WeightFormat, tensor: EditedTensor, numbers: Numbers): Float32Array {
  const stored = weightFormatById(tensor.typeId);
  if (stored === undefined) throw new Error(`type ${tensor.typeId}`);
  const values = stored
    .decode(tensor.data, elementsOf(tensor))
    .map((value) => value * (0.5 + numbers.whole(0, 1000) / 1000));
  if (!format.ternary) return values;
  for (let begin = 0; begin < values.length; begin += format.blockElements) {
    ternarizeBlock(values.subarray(begin, begin + format.blockElements), format.name === "Q1_0");
  }
  return values;
}

/** −d, 0 and d, or only signs. d is the mean magnitude of the block, as a half. */
function ternarizeBlock(values: Float32Array, signsOnly: boolean): void {
  const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
  const scale = float16ToNumber(numberToFloat16(mean));
  values.forEach((value, i) => {
    const isZero = !signsOnly && Math.abs(value) < scale / 2;
    values[i] = isZero ? 0 : value < 0 ? -scale : scale;
  });
}
