import type { ByteSource } from "../platform/byte-source.js";
import type { WeightFormat } from "../weight-formats/index.js";

/** A metadata value: GGUF's scalars and arrays. 64-bit integers are numbers where exact, else bigints. */
export type MetadataValue = number | bigint | boolean | string | MetadataArray;
/** Arrays of numbers are typed arrays where the element type has one; nested arrays are plain arrays. */
export type MetadataArray =
  | readonly string[]
  | readonly boolean[]
  | readonly bigint[]
  | readonly MetadataArray[]
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export type Metadata = ReadonlyMap<string, MetadataValue>;

/** How a container stores a scalar, by GGUF's names for its types. */
export type MetadataScalarType =
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "float32"
  | "bool"
  | "string"
  | "uint64"
  | "int64"
  | "float64";

/** A scalar's or an array's stored type; arrays of arrays, which may be mixed, are "array[]". */
export type MetadataType = MetadataScalarType | `${MetadataScalarType}[]` | "array[]";

/** Where one tensor lies and how its numbers are stored. */
export interface TensorInfo {
  readonly name: string;
  /** Sizes with the fastest-varying first, as GGUF writes them: a matrix is [cols, rows]. 1 to 4 of them, each ≥ 1. */
  readonly shape: readonly number[];
  /** The type's name, "I2_S"; for an id that no format claims, "type 99". */
  readonly type: string;
  /** The type's number in the file. */
  readonly typeId: number;
  /** How to read it; undefined where the type is known by name at most. */
  readonly format: WeightFormat | undefined;
  /** What holds it: the file, one of several, or bytes that are made from a file's as they are read. */
  readonly source: ByteSource;
  /** First byte in `source`. */
  readonly offset: number;
  /** Length in bytes; for an unknown type, the distance to the next tensor or the end of the file. */
  readonly bytes: number;
}

/** The file or folder that a model is in, as a whole; its tensors have sources of their own. */
export type ModelFileSource = Pick<ByteSource, "name" | "size" | "close">;

/** An opened and checked container of metadata and tensors. */
export interface ModelFile {
  /** "checkpoint" is a folder of config.json, tokenizer.json and safetensors files, described in GGUF's terms. */
  readonly container: "gguf" | "checkpoint";
  /** The container format's version; 0 where it has none. */
  readonly version: number;
  readonly source: ModelFileSource;
  readonly metadata: Metadata;
  /** How each value of `metadata` is stored, so that it can be written again as it was. Same keys, same order. */
  readonly metadataTypes: ReadonlyMap<string, MetadataType>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}
