import { BitNetError } from "../errors.js";
import type { SafetensorsTensor } from "../files/safetensors.js";
import type { ByteSource } from "../platform/byte-source.js";
import { bfloat16ToNumber } from "../weight-formats/bf16.js";
import { f32 } from "../weight-formats/f32.js";
import { float16ToNumber } from "../weight-formats/float16.js";
import { weightFormatByName, type WeightFormat } from "../weight-formats/index.js";
import { smallestTernaryScale, ternaryOf } from "../weight-formats/ternarize.js";
import { madeSource } from "./made-source.js";
import type { RowOrder } from "./row-order.js";
import type { TernaryMatrix } from "./ternary-source.js";

/** Bytes of master weights per step. */
const pieceBytes = 4 * 2 ** 20;

/** How the numbers of a dtype are read: as bit patterns with a table, or directly. */
interface Masters {
  readonly bytes: number;
  array(bytes: Uint8Array<ArrayBuffer>): Uint16Array | Float32Array;
  /** The number of each 16-bit pattern. */
  readonly table: (() => Float32Array) | undefined;
}

const masters: ReadonlyMap<string, Masters> = new Map([
  ["BF16", sixteenBits(bfloat16ToNumber)],
  ["F16", sixteenBits(float16ToNumber)],
  [
    "F32",
    {
      bytes: 4,
      array: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
      table: undefined,
    },
  ],
]);

/** The dtypes of master weights. */
export const masterDtypes: readonly string[] = [...masters.keys()];

/**
 * The float weights of a ternary model's training, made ternary like in every forward pass of that training:
 * by the mean of the matrix's magnitudes (weight-formats/ternarize.ts). The matrix is read twice, for the
 * mean and for the weights, and not kept.
 */
export function masterMatrix(tensor: SafetensorsTensor): TernaryMatrix {
  const [rows = 0, cols = 0] = tensor.shape;
  const kind = masters.get(tensor.dtype);
  if (kind === undefined) throw new TypeError(`no master weights in ${tensor.dtype}`);
  let scaling: Promise<number> | undefined;
  /** The code of each bit pattern; a code maps to itself. */
  let codeOf: Uint8Array | undefined;

  const scale = (): Promise<number> => (scaling ??= readScale(tensor, kind));
  return {
    name: tensor.source.name,
    rows,
    cols,
    scale,
    async load(begin, end) {
      const d = await scale();
      const rowBytes = cols * kind.bytes;
      const bytes = await tensor.source.read(tensor.offset + begin * rowBytes, (end - begin) * rowBytes);
      const values = kind.array(bytes);
      const codes = kind.table === undefined ? codesOf(values, d) : values;
      codeOf ??= Uint8Array.from(kind.table?.() ?? [-d, 0, d], (value) => ternaryOf(value, d) + 1);
      const table = codeOf;
      return (row, target) => writeRow(target, codes, (row - begin) * cols, table);
    },
  };
}

/** Codes of float weights. */
function codesOf(values: Uint16Array | Float32Array, d: number): Uint8Array {
  const codes = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index += 1)
    codes[index] = ternaryOf(values[index] as number, d) + 1;
  return codes;
}

/** Ternary weights as floats, for matrices whose rows are not whole runs of 128 (packing/ternary-floats). */
export const ternaryFloats: WeightFormat = { ...f32, name: "ternary F32", ternary: true };

/** A master matrix as `ternaryFloats`. */
export function ternaryFloatSource(
  tensor: SafetensorsTensor,
  { rows, cols, scale }: TernaryMatrix,
  order: RowOrder,
): ByteSource {
  const format = weightFormatByName(tensor.dtype);
  if (format === undefined) throw new TypeError(`no master weights in ${tensor.dtype}`);
  const { unitRows } = order;
  const rowBytes = tensor.bytes / rows;
  return madeSource({
    name: tensor.source.name,
    units: rows / unitRows,
    unitBytes: unitRows * cols * 4,
    async make(first, target) {
      const d = await scale();
      const begin = first * unitRows;
      const count = target.length / (cols * 4);
      const bytes = await tensor.source.read(tensor.offset + begin * rowBytes, count * rowBytes);
      const values = format.decode(bytes, count * cols).map((value) => d * ternaryOf(value, d));
      for (let row = 0; row < count; row += 1) {
        const from = order.inputRow(begin + row) - begin;
        const floats = values.subarray(from * cols, (from + 1) * cols);
        target.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), row * cols * 4);
      }
    },
  });
}

/** One row in I2_S's runs of 128: byte j of a run has the codes of weights j, 32 + j, 64 + j and 96 + j. */
function writeRow(
  target: Uint8Array,
  patterns: Uint16Array | Float32Array | Uint8Array,
  begin: number,
  codeOf: Uint8Array,
): void {
  for (let index = 0; index < target.length; index += 1) {
    const at = begin + 128 * (index >>> 5) + (index & 31);
    target[index] =
      ((codeOf[patterns[at] as number] as number) << 6) |
      ((codeOf[patterns[at + 32] as number] as number) << 4) |
      ((codeOf[patterns[at + 64] as number] as number) << 2) |
      (codeOf[patterns[at + 96] as number] as number);
  }
}

/** max(mean of magnitudes, 1e-5), summed in double like ternarizeByAbsmean. */
async function readScale(tensor: SafetensorsTensor, kind: Masters): Promise<number> {
  const magnitudes = kind.table?.().map(Math.abs);
  let sum = 0;
  for (let done = 0; done < tensor.bytes; done += pieceBytes) {
    const bytes = await tensor.source.read(tensor.offset + done, Math.min(pieceBytes, tensor.bytes - done));
    const values = kind.array(bytes);
    sum = magnitudes === undefined ? addMagnitudes(sum, values) : addFromTable(sum, values, magnitudes);
    if (!Number.isFinite(sum)) throw notFinite(tensor, done, values, magnitudes, kind.bytes);
  }
  return Math.fround(Math.max(sum / (tensor.bytes / kind.bytes), smallestTernaryScale));
}

// By index: V8 takes 2.4 times as long with for-of, and these loops see every weight of a model.

function addMagnitudes(sum: number, values: Uint16Array | Float32Array): number {
  // eslint-disable-next-line @typescript-eslint/prefer-for-of -- see above
  for (let index = 0; index < values.length; index += 1) sum += Math.abs(values[index] as number);
  return sum;
}

function addFromTable(sum: number, patterns: Uint16Array | Float32Array, magnitudes: Float32Array): number {
  // eslint-disable-next-line @typescript-eslint/prefer-for-of -- see above
  for (let index = 0; index < patterns.length; index += 1) {
    sum += magnitudes[patterns[index] as number] as number;
  }
  return sum;
}

function notFinite(
  { name, source, offset }: SafetensorsTensor,
  begin: number,
  values: Uint16Array | Float32Array,
  magnitudes: Float32Array | undefined,
  bytes: number,
): BitNetError {
  const index = values.findIndex((value) => !Number.isFinite(magnitudes?.[value] ?? value));
  const at = offset + begin + index * bytes;
  const element = begin / bytes + index;
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot read "${source.name}": tensor ${JSON.stringify(name)} is damaged at byte ${at}: element ${element} is not a finite number`,
    { details: { offset: at, tensor: name, index: element } },
  );
}

function sixteenBits(toNumber: (bits: number) => number): Masters {
  let table: Float32Array | undefined;
  return {
    bytes: 2,
    array: (bytes) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2),
    table: () => (table ??= Float32Array.from({ length: 65_536 }, (_, bits) => toNumber(bits))),
  };
}
