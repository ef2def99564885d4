import { BitNetError } from "../errors.js";
import {
  arrayTypeId,
  defaultAlignment,
  ggufMagic,
  maxDimensions,
  isAlignment,
  scalarTypeIds,
} from "./gguf-format.js";
import { HeaderBytes } from "./header-bytes.js";
import type { MetadataScalarType, MetadataType, MetadataValue, TensorInfo } from "./model-file.js";

/** A metadata value and its stored type: 5 may be a uint32, an int8 or a float32. */
export interface GgufValue {
  readonly type: MetadataType;
  readonly value: MetadataValue;
}

/** A tensor to write. Its offset follows from the order. A TensorInfo of another file is one too. */
export type TensorPlan = Pick<TensorInfo, "name" | "shape" | "typeId" | "bytes">;

/** A GGUF file without the tensors' data. `general.alignment` in the metadata sets the alignment. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly TensorPlan[];
}

const version = 3;
const integerRanges: Readonly<Partial<Record<MetadataScalarType, readonly [number, number]>>> = {
  uint8: [0, 2 ** 8 - 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint16: [0, 2 ** 16 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/**
 * The bytes of a header, padded to the offset of the tensor data.
 * @throws BitNetError INVALID_ARGUMENT for a header that a reader would refuse.
 */
export function encodeGgufHeader(header: GgufHeader): { bytes: Uint8Array; alignment: number } {
  const { metadata, tensors } = header;
  const alignment = alignmentOf(metadata);
  const out = new HeaderBytes();
  out.u32(ggufMagic);
  out.u32(version);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, value] of metadata) {
    if (key === "") throw invalid("a metadata key is empty");
    out.string(key);
    writeValue(out, key, value);
  }

  const names = new Set<string>();
  let relativeOffset = 0;
  for (const tensor of tensors) {
    requireTensor(tensor, names);
    names.add(tensor.name);
    out.string(tensor.name);
    out.u32(tensor.shape.length);
    for (const size of tensor.shape) out.u64(size);
    out.u32(tensor.typeId);
    out.u64(relativeOffset);
    relativeOffset = alignUp(relativeOffset + tensor.bytes, alignment);
  }
  out.zeros(alignUp(out.bytes.length, alignment) - out.bytes.length);
  return { bytes: out.bytes, alignment };
}

function writeValue(out: HeaderBytes, key: string, { type, value }: GgufValue): void {
  if (!type.endsWith("[]")) {
    out.u32(scalarTypeIds[type as MetadataScalarType]);
    writeScalar(out, key, type as MetadataScalarType, value);
    return;
  }
  const elementType = type.slice(0, -2);
  if (elementType === "array") throw invalid(`"${key}" is an array of arrays, which no model uses`);
  if (typeof value !== "object") throw invalid(`"${key}" should be an array and is a ${typeof value}`);
  out.u32(arrayTypeId);
  out.u32(scalarTypeIds[elementType as MetadataScalarType]);
  out.u64(value.length);
  for (const element of value) writeScalar(out, key, elementType as MetadataScalarType, element);
}

function writeScalar(out: HeaderBytes, key: string, type: MetadataScalarType, value: unknown): void {
  if (type === "string" && typeof value === "string") return out.string(value);
  if (type === "bool" && typeof value === "boolean") return out.u8(Number(value));
  if (type === "uint64" && isInteger64(value, BigInt.asUintN)) return out.u64(value);
  if (type === "int64" && isInteger64(value, BigInt.asIntN)) return out.i64(value);
  if (type === "float32" && typeof value === "number") return out.raw(bytesOf(Float32Array.of(value)));
  if (type === "float64" && typeof value === "number") return out.raw(bytesOf(Float64Array.of(value)));

  const range = integerRanges[type];
  if (
    range &&
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= range[0] &&
    value <= range[1]
  ) {
    const bytes = Math.log2(range[1] - range[0] + 1) / 8;
    // Two's complement: signed and unsigned numbers have the same low bytes.
    return out.raw(bytesOf(Uint32Array.of(value)).subarray(0, bytes));
  }
  throw invalid(`"${key}" has the value ${String(value)}, which is not of type ${type}`);
}

function isInteger64(
  value: unknown,
  wrap: (bits: number, value: bigint) => bigint,
): value is number | bigint {
  if (typeof value === "number")
    return Number.isSafeInteger(value) && wrap(64, BigInt(value)) === BigInt(value);
  return typeof value === "bigint" && wrap(64, value) === value;
}

function requireTensor(tensor: TensorPlan, names: ReadonlySet<string>): void {
  const { name, shape, bytes } = tensor;
  if (name === "" || names.has(name)) throw invalid(`tensor name "${name}" is empty or used twice`);
  const validShape =
    shape.length >= 1 &&
    shape.length <= maxDimensions &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 1);
  if (!validShape) throw invalid(`tensor "${name}" has the impossible shape [${shape.join(", ")}]`);
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw invalid(`tensor "${name}" has ${bytes} bytes`);
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get("general.alignment")?.value ?? defaultAlignment;
  if (isAlignment(value)) return value;
  throw invalid(`general.alignment is ${String(value)}`);
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function bytesOf(array: Float32Array | Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function invalid(what: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Cannot write GGUF: ${what}`);
}
