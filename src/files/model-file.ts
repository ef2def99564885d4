import type { ByteSource } from "../platform/byte-source.js";
import type { WeightFormat } from "../weight-formats/index.js";

/** A metadata value: GGUF's scalars and arrays. 64-bit integers are numbers if exact, else bigints. */
export type MetadataValue = number | bigint | boolean | string | MetadataArray;
/** Arrays of numbers are typed arrays if their type has one. Nested arrays are plain arrays. */
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

/** The stored type of a scalar or an array. Arrays of arrays may be mixed and are "array[]". */
export type MetadataType = MetadataScalarType | `${MetadataScalarType}[]` | "array[]";

/** The offset of one tensor and the format of its numbers. */
export interface TensorInfo {
  readonly name: string;
  /**
   * Sizes with the fastest-varying first, as GGUF writes them: a matrix is [cols, rows]. 1 to 4 of them, each
   * ≥ 1.
   */
  readonly shape: readonly number[];
  /** The type's name, "I2_S". An id without a format is "type 99". */
  readonly type: string;
  /** The type's id in the file. */
  readonly typeId: number;
  /** Its reader. Undefined if only the type's name is known. */
  readonly format: WeightFormat | undefined;
  /** The source of its bytes: the file, a shard, or a source that computes bytes when they are read. */
  readonly source: ByteSource;
  /** First byte in `source`. */
  readonly offset: number;
  /** Length in bytes. For an unknown type, the distance to the next tensor or the end of the file. */
  readonly bytes: number;
}

/** The model's file or folder as a whole. Its tensors have sources of their own. */
export type ModelFileSource = Pick<ByteSource, "name" | "size" | "close">;

/** An opened and checked container of metadata and tensors. */
export interface ModelFile {
  /**
   * "checkpoint" is a folder of config.json, tokenizer.json and safetensors files, described in GGUF's terms.
   */
  readonly container: "gguf" | "checkpoint";
  /** The container format's version. 0 without a version. */
  readonly version: number;
  readonly source: ModelFileSource;
  readonly metadata: Metadata;
  /** The stored type of each value in `metadata`, to write it again unchanged. Same keys, same order. */
  readonly metadataTypes: ReadonlyMap<string, MetadataType>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}
