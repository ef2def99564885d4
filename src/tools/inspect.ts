import type { Metadata, MetadataType, MetadataValue, ModelFile, TensorInfo } from "../files/index.js";

/** A value that `JSON.stringify` writes without loss. */
export type JsonValue =
  string | number | boolean | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A long metadata value in short: its beginning and how much there is. */
export interface Abridged {
  readonly type: string;
  /** Elements of an array, UTF-16 units of a string. */
  readonly length: number;
  readonly first: JsonValue;
}

/** What `inspectModel` tells about a file; plain data that JSON can hold. */
export interface Inspection {
  /** `general.architecture`; null where the file has none. */
  readonly architecture: string | null;
  /** Every key. Arrays and very long strings are abridged; integers beyond 2^53, NaN and infinities are strings. */
  readonly metadata: Readonly<Record<string, JsonValue>>;
  /** In the file's order; shapes with the fastest-varying size first. */
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: string;
    readonly bytes: number;
  }[];
  readonly summary: {
    readonly parameters: number;
    /** Those of them that are stored as −1, 0 or 1 times a scale. */
    readonly ternaryParameters: number;
    readonly bytesByType: Readonly<Record<string, number>>;
    readonly fileBytes: number;
    readonly estimatedMemory: EstimatedMemory;
    /** Weights read from memory to generate one token; what bounds its speed. The KV cache comes on top. */
    readonly bytesPerToken: number;
  };
}

/** Bytes that a loaded model takes, if weights take in memory what they take in the file. */
export interface EstimatedMemory {
  /** All tensors but the head. */
  readonly weights: number;
  /** The output matrix: the embedding, where they are tied. */
  readonly head: number;
  /** Keys and values of a full context in f32; null where the metadata does not tell. */
  readonly kvCache: number | null;
  /** The context length that `kvCache` is for. */
  readonly contextLength: number | null;
  readonly total: number;
}

const LONGEST_STRING = 16_384;
const FIRST_ELEMENTS = 8;
const FIRST_CHARACTERS = 256;
const KV_CACHE_ELEMENT_BYTES = 2;

/** Describes an opened file: its metadata, tensors and cost. It refuses nothing; what it cannot tell is null. */
export function inspectModel(file: ModelFile): Inspection {
  const tensors = Array.from(file.tensors.values());
  const architecture = file.metadata.get("general.architecture");
  const totals = sumTensors(tensors);
  return {
    architecture: typeof architecture === "string" ? architecture : null,
    // fromEntries defines properties, so that a key such as "__proto__" is one like any other.
    metadata: Object.fromEntries(
      Array.from(file.metadata, ([key, value]) => [key, describe(value, file.metadataTypes.get(key))]),
    ),
    tensors: tensors.map(({ name, shape, type, bytes }) => ({ name, shape, type, bytes })),
    summary: {
      ...totals,
      fileBytes: file.source.size,
      estimatedMemory: estimateMemory(file, tensors),
      bytesPerToken: bytesPerToken(file, tensors),
    },
  };
}

function sumTensors(
  tensors: readonly TensorInfo[],
): Pick<Inspection["summary"], "parameters" | "ternaryParameters" | "bytesByType"> {
  let parameters = 0;
  let ternaryParameters = 0;
  const bytesByType = new Map<string, number>();
  for (const { shape, type, format, bytes } of tensors) {
    const elements = shape.reduce((product, size) => product * size, 1);
    parameters += elements;
    if (format?.ternary) ternaryParameters += elements;
    bytesByType.set(type, (bytesByType.get(type) ?? 0) + bytes);
  }
  return { parameters, ternaryParameters, bytesByType: Object.fromEntries(bytesByType) };
}

function estimateMemory(file: ModelFile, tensors: readonly TensorInfo[]): EstimatedMemory {
  const all = sumBytes(tensors);
  const head = (file.tensors.get("output.weight") ?? file.tensors.get("token_embd.weight"))?.bytes ?? 0;
  const contextLength = hyperparameter(file.metadata, "context_length");
  const perPosition = kvBytesPerPosition(file.metadata);
  const kvCache =
    perPosition === undefined || contextLength === undefined ? null : perPosition * contextLength;
  return {
    weights: all - head,
    head,
    kvCache,
    contextLength: contextLength ?? null,
    total: all + (kvCache ?? 0),
  };
}

function bytesPerToken(file: ModelFile, tensors: readonly TensorInfo[]): number {
  const embedding = file.tensors.get("token_embd.weight");
  const all = sumBytes(tensors);
  if (!embedding || !file.tensors.has("output.weight")) return all;
  // Of an embedding that is not the head as well, one row is read.
  const rows = embedding.shape[1] ?? 1;
  return all - embedding.bytes + Math.ceil(embedding.bytes / rows);
}

function kvBytesPerPosition(metadata: Metadata): number | undefined {
  const layers = hyperparameter(metadata, "block_count");
  const heads = hyperparameter(metadata, "attention.head_count");
  const width = hyperparameter(metadata, "embedding_length");
  const kvHeads = hyperparameter(metadata, "attention.head_count_kv") ?? heads;
  const headSize = heads && width ? width / heads : undefined;
  const keySize = hyperparameter(metadata, "attention.key_length") ?? headSize;
  const valueSize = hyperparameter(metadata, "attention.value_length") ?? headSize;
  if (layers === undefined || kvHeads === undefined || keySize === undefined || valueSize === undefined) {
    return undefined;
  }
  return layers * kvHeads * (keySize + valueSize) * KV_CACHE_ELEMENT_BYTES;
}

/** A number that the metadata gives under the architecture's name; undefined where it gives none, or one per layer. */
function hyperparameter(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(`${String(metadata.get("general.architecture"))}.${key}`);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function sumBytes(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}

function describe(value: MetadataValue, type: MetadataType = "array[]"): JsonValue {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return { ...abridge(value, type) };
  if (value.length <= LONGEST_STRING) return value;
  return { type: "string", length: value.length, first: value.slice(0, FIRST_CHARACTERS) };
}

function abridge(array: Exclude<MetadataValue, string | number | bigint | boolean>, type: string): Abridged {
  const first = Array.from<MetadataValue, JsonValue>(array.slice(0, FIRST_ELEMENTS), (element) =>
    describe(element),
  );
  return { type, length: array.length, first };
}
