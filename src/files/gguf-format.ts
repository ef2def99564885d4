import type { MetadataScalarType } from "./model-file.js";

/** "GGUF" as a little-endian u32. */
export const ggufMagic = 0x46554747;
/** The alignment of tensor data without `general.alignment`. */
export const defaultAlignment = 32;
export const maxDimensions = 4;
export const arrayTypeId = 9;

/** Whether a metadata value is a valid alignment: a power of two from 8 to 65536. */
export function isAlignment(value: unknown): value is number {
  return typeof value === "number" && value >= 8 && value <= 65_536 && Number.isInteger(Math.log2(value));
}

/** Number types by their ids in the file. Arrays of them become typed arrays. */
export const numberTypes: ReadonlyMap<number, NumberType> = new Map([
  [0, { name: "uint8", bytes: 1, array: Uint8Array }],
  [1, { name: "int8", bytes: 1, array: Int8Array }],
  [2, { name: "uint16", bytes: 2, array: Uint16Array }],
  [3, { name: "int16", bytes: 2, array: Int16Array }],
  [4, { name: "uint32", bytes: 4, array: Uint32Array }],
  [5, { name: "int32", bytes: 4, array: Int32Array }],
  [6, { name: "float32", bytes: 4, array: Float32Array }],
  [12, { name: "float64", bytes: 8, array: Float64Array }],
] as const);

/** A number type of metadata, with the typed array for many numbers. */
export interface NumberType {
  readonly name: "uint8" | "int8" | "uint16" | "int16" | "uint32" | "int32" | "float32" | "float64";
  readonly bytes: number;
  readonly array: new (length: number) => NumberArray;
}

export type NumberArray =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** Ids of all scalar types. */
export const scalarTypeIds: Readonly<Record<MetadataScalarType, number>> = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  uint64: 10,
  int64: 11,
  float64: 12,
};

const namesById: ReadonlyMap<number, MetadataScalarType> = new Map(
  Object.entries(scalarTypeIds).map(([name, id]) => [id, name as MetadataScalarType]),
);

/** The scalar type of an id. Undefined for arrays and unknown ids. */
export function scalarTypeName(id: number): MetadataScalarType | undefined {
  return namesById.get(id);
}

/**
 * Upper limits of this reader, for files of any size: a sparse or hostile file can be long enough for any
 * count. The largest real headers have about 30 MB, one million strings and a few thousand tensors.
 */
export const limits = {
  headerBytes: 268_435_456,
  keys: 65_536,
  tensors: 262_144,
  /** Strings, 64-bit integers and booleans in all arrays of a file. Each becomes a JavaScript value. */
  arrayValues: 4_194_304,
  arrays: 65_536,
  nesting: 4,
  keyBytes: 65_535,
  stringBytes: 67_108_864,
} as const;
