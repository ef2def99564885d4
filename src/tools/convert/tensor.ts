import { BitNetError, throwIfAborted } from "../../errors.js";
import type { TensorInfo } from "../../files/model-file.js";
import { float16ToNumber, numberToFloat16 } from "../../weight-formats/float16.js";
import { i2sTailBytes } from "../../weight-formats/i2-s.js";
import type { WeightFormat } from "../../weight-formats/index.js";
import type { ConvertStep } from "./plan.js";

/** Weights in memory at once, as floats and in both formats. A multiple of every format's block. */
const pieceElements = 2 ** 20;
/** Bytes per copy of an unconverted tensor. */
const maxPieceBytes = 4 * 2 ** 20;
/** The largest finite half. */
const largestHalf = 65_504;

/** Writes the next bytes of the tensor. */
type Write = (chunk: Uint8Array) => Promise<void>;

/** A direct conversion from one format to another, without floats. */
type Recoding = (step: ConvertStep, write: Write, signal: AbortSignal | undefined) => Promise<void>;

/** Direct conversions by both names. All others use `recodeValues`, at a tenth of the speed. */
const recodings: ReadonlyMap<string, Recoding> = new Map([
  ["I2_S TQ2_0", i2sToTq2],
  ["TQ2_0 I2_S", tq2ToI2s],
]);

/**
 * Reads a tensor piece by piece and writes it in its new format. Between formats for the same weights, only a
 * scale that becomes a half can lose precision.
 *
 * @throws BitNetError INVALID_ARGUMENT for weights that the format cannot hold; FILE_CORRUPT, FILE_READ.
 */
export async function convertTensor(
  step: ConvertStep,
  write: Write,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { tensor, format } = step;
  if (tensor.format === format) return copyTensor(tensor, write, signal);
  const recode = recodings.get(`${tensor.format.name} ${format.name}`) ?? recodeValues;
  return recode(step, write, signal);
}

async function copyTensor(tensor: TensorInfo, write: Write, signal: AbortSignal | undefined): Promise<void> {
  for (let done = 0; done < tensor.bytes; done += maxPieceBytes) {
    throwIfAborted(signal);
    const bytes = Math.min(maxPieceBytes, tensor.bytes - done);
    await write(await tensor.source.read(tensor.offset + done, bytes));
  }
}

async function recodeValues(step: ConvertStep, write: Write, signal: AbortSignal | undefined): Promise<void> {
  const { tensor, unscaled } = step;
  const elements = elementsOf(tensor);
  const encode = createEncoder(step);
  const tail = tensor.type === "I2_S" ? await readTail(tensor) : new Uint8Array(0);
  for (let begin = 0; begin < elements; begin += pieceElements) {
    throwIfAborted(signal);
    const count = Math.min(pieceElements, elements - begin);
    const values = await readValues(tensor, begin, count, tail);
    await write(encode.piece(unscaled ? values.map(Math.sign) : values, begin));
  }
  const rest = encode.tail();
  if (rest !== undefined) await write(rest);
}

/** Weights [begin, begin + count) of a tensor. For I2_S, `tail` holds the scale that its decoder needs. */
async function readValues(
  tensor: ConvertStep["tensor"],
  begin: number,
  count: number,
  tail: Uint8Array,
): Promise<Float32Array> {
  const { source, offset, format } = tensor;
  const from = format.tensorBytes(begin) - tail.length;
  const length = format.tensorBytes(count) - tail.length;
  const bytes = new Uint8Array(length + tail.length);
  await source.readInto(offset + from, bytes.subarray(0, length));
  bytes.set(tail, length);
  try {
    return format.decode(bytes, count);
  } catch (cause) {
    if (!(cause instanceof BitNetError) || cause.code !== "FILE_CORRUPT") throw cause;
    const at = from + (typeof cause.details.offset === "number" ? cause.details.offset : 0);
    throw damaged(tensor, at, cause.message);
  }
}

/** Encodes a tensor in pieces. */
interface Encoder {
  piece(values: Float32Array, begin: number): Uint8Array;
  /** Writes the bytes after the last piece. */
  tail(): Uint8Array | undefined;
}

function createEncoder(step: ConvertStep): Encoder {
  const { tensor, format } = step;
  const encode = (values: Float32Array, begin: number): Uint8Array => {
    if (format.name === "F16") requireHalves(tensor, values, begin);
    try {
      return format.encode?.(values) ?? new Uint8Array(0);
    } catch (cause) {
      throw cause instanceof BitNetError ? cannotHold(tensor, format, values, begin, cause) : cause;
    }
  };
  if (format.name !== "I2_S") return { piece: encode, tail: () => undefined };

  const scale = createScaleCheck(step);
  return {
    piece(values, begin) {
      const magnitude = values.find((value) => value !== 0);
      if (magnitude !== undefined) scale.see(Math.abs(magnitude), begin);
      return encode(values, begin).subarray(0, -i2sTailBytes);
    },
    tail: () => scale.tail(),
  };
}

/** Checks that all pieces share I2_S's one scale, and writes it. */
function createScaleCheck({ tensor, format, scaledBy }: ConvertStep): {
  see(scale: number, begin: number): void;
  tail(): Uint8Array;
} {
  let d: number | undefined;
  return {
    see(scale, begin) {
      d ??= scale;
      if (d === scale) return;
      throw new BitNetError(
        "INVALID_ARGUMENT",
        `Cannot convert tensor "${tensor.name}" to ${format.name}, which has one scale for all weights: blocks have the scales ${d} and, from weight ${begin} on, ${scale}; choose a type with scales of its own for each block, such as tq2_0`,
        { details: { tensor: tensor.name, index: begin } },
      );
    },
    // If all weights are 0, any scale works.
    tail: () => tailOf(Math.fround((d ?? 1) * scaledBy)),
  };
}

/**
 * A block of TQ2_0: the codes of two runs of I2_S in the same number of bytes, with reversed bit pairs, and
 * d.
 */
const tq2Codes = 64;
const tq2Bytes = 66;
/** Four times code 1, the weight 0. */
const allZeros = 0x55;

const reversedPairs = pairTable((code) => code);
/** The same with the opposite signs of weights. */
const reversedNegated = pairTable((code) => 2 - code);
const zeros = pairTable(() => 1);

/** For each byte, the byte with its recoded bit pairs in reverse order. */
function pairTable(change: (code: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const codes = [byte & 3, (byte >>> 2) & 3, (byte >>> 4) & 3, byte >>> 6].map(change);
    return codes.reduce((made, code, index) => made | ((code & 3) << (6 - 2 * index)), 0);
  });
}

/**
 * Recodes 64 bytes.
 * @returns whether all weights are 0.
 */
function recodeCodes(
  tensor: TensorInfo,
  from: Uint8Array,
  at: number,
  to: Uint8Array,
  table: Uint8Array,
  offset: number,
): boolean {
  let isZero = true;
  for (let index = 0; index < tq2Codes; index += 1) {
    const byte = from[at + index] as number;
    if ((byte & (byte >>> 1) & 0x55) !== 0)
      throw damaged(tensor, offset + at + index, "weight code 3 has no meaning");
    if (byte !== allZeros) isZero = false;
    to[index] = table[byte] as number;
  }
  return isZero;
}

async function i2sToTq2(
  { tensor, unscaled }: ConvertStep,
  write: Write,
  signal: AbortSignal | undefined,
): Promise<void> {
  const d = unscaled ? 1 : scaleOf(await readTail(tensor));
  const half = numberToFloat16(d);
  if (!(Math.abs(d) <= largestHalf) || ((half & 0x7fff) === 0 && d !== 0)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot convert tensor "${tensor.name}" to TQ2_0: its scale ${d} is too large for a half, the type of scales`,
      { details: { tensor: tensor.name } },
    );
  }
  const codeBytes = tensor.bytes - i2sTailBytes;
  const pieceBytes = pieceElements / 4;
  for (let begin = 0; begin < codeBytes; begin += pieceBytes) {
    throwIfAborted(signal);
    const codes = await tensor.source.read(tensor.offset + begin, Math.min(pieceBytes, codeBytes - begin));
    const blocks = codes.length / tq2Codes;
    const result = new Uint8Array(blocks * tq2Bytes);
    for (let block = 0; block < blocks; block += 1) {
      const made = result.subarray(block * tq2Bytes, (block + 1) * tq2Bytes);
      const isZero = recodeCodes(tensor, codes, block * tq2Codes, made, reversedPairs, begin);
      // Like in the format's own encoder, blocks of zeros have the scale 0.
      if (isZero) continue;
      made[tq2Codes] = half;
      made[tq2Codes + 1] = half >>> 8;
    }
    await write(result);
  }
}

async function tq2ToI2s(step: ConvertStep, write: Write, signal: AbortSignal | undefined): Promise<void> {
  const { tensor } = step;
  const scale = createScaleCheck(step);
  const pieceBytes = (pieceElements / 256) * tq2Bytes;
  for (let begin = 0; begin < tensor.bytes; begin += pieceBytes) {
    throwIfAborted(signal);
    const length = Math.min(pieceBytes, tensor.bytes - begin);
    const stored = await tensor.source.read(tensor.offset + begin, length);
    const blocks = stored.length / tq2Bytes;
    const result = new Uint8Array(blocks * tq2Codes);
    for (let block = 0; block < blocks; block += 1) {
      const at = block * tq2Bytes;
      const scaleAt = at + tq2Codes;
      const d = float16ToNumber((stored[scaleAt] as number) | ((stored[scaleAt + 1] as number) << 8));
      if (!Number.isFinite(d)) throw damaged(tensor, begin + scaleAt, `a scale is ${d}`);
      const table = d > 0 ? reversedPairs : d < 0 ? reversedNegated : zeros;
      const made = result.subarray(block * tq2Codes, (block + 1) * tq2Codes);
      const isZero = recodeCodes(tensor, stored, at, made, table, begin) || d === 0;
      if (!isZero) scale.see(Math.abs(d), (begin / tq2Bytes + block) * 256);
    }
    await write(result);
  }
  await write(scale.tail());
}

async function readTail(tensor: TensorInfo): Promise<Uint8Array> {
  const tail = await tensor.source.read(tensor.offset + tensor.bytes - i2sTailBytes, i2sTailBytes);
  const d = scaleOf(tail);
  if (Number.isFinite(d)) return tail;
  throw damaged(tensor, tensor.bytes - i2sTailBytes, `its scale is ${d}`);
}

function scaleOf(tail: Uint8Array): number {
  return new DataView(tail.buffer, tail.byteOffset).getFloat32(0, true);
}

/** The scale eight times, like the native engine writes it. */
function tailOf(d: number): Uint8Array {
  return new Uint8Array(new Float32Array(i2sTailBytes / 4).fill(d).buffer);
}

function elementsOf({ shape }: TensorInfo): number {
  return shape.reduce((product, size) => product * size, 1);
}

function requireHalves(tensor: TensorInfo, values: Float32Array, begin: number): void {
  // Written so that NaN fails the comparison.
  const index = values.findIndex((value) => !(Math.abs(value) <= largestHalf));
  if (index < 0) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot convert tensor "${tensor.name}" to F16: weight ${begin + index} is ${values[index]}, beyond ${largestHalf}, the largest half; choose bf16 or f32`,
    { details: { tensor: tensor.name, index: begin + index } },
  );
}

/** @param cause the encoder's error about `values`, which begin at weight `begin` of the tensor */
function cannotHold(
  tensor: TensorInfo,
  format: WeightFormat,
  values: Float32Array,
  begin: number,
  cause: BitNetError,
): BitNetError {
  const { index } = cause.details;
  const inPiece = typeof index === "number" ? index : 0;
  const weight = `weight ${begin + inPiece} is ${values[inPiece]}`;
  return new BitNetError(
    cause.code,
    format.ternary
      ? `Cannot convert tensor "${tensor.name}" to ${format.name}: ${weight}, and others in its block have another magnitude. This type needs ternary weights. A checkpoint folder is made ternary if its config.json says so`
      : `Cannot convert tensor "${tensor.name}" to ${format.name}: ${weight}. ${cause.message}`,
    { cause, details: { tensor: tensor.name, index: begin + inPiece } },
  );
}

/** @param at byte of the tensor */
function damaged(tensor: TensorInfo, at: number, problem: string): BitNetError {
  const offset = tensor.offset + at;
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot read "${tensor.source.name}": tensor "${tensor.name}" is damaged at byte ${offset}: ${problem}`,
    { details: { offset, tensor: tensor.name } },
  );
}
