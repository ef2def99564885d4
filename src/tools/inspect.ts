import { describeModel, type MatrixRole } from "../architectures/index.js";
import { BitNetError } from "../errors.js";
import type { Metadata, MetadataType, MetadataValue, ModelFile, TensorInfo } from "../files/index.js";
import { estimateMemory } from "../engine/memory-estimate.js";
import { packedBytes } from "../packing/pack.js";

/** A value that `JSON.stringify` writes without loss. */
export type JsonValue =
  string | number | boolean | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The beginning of a long metadata value, and its length. */
export interface Abridged {
  readonly type: string;
  /** Elements of an array, UTF-16 units of a string. */
  readonly length: number;
  readonly first: JsonValue;
}

/** The result of `inspectModel`: plain data for JSON. */
export interface Inspection {
  /** `general.architecture`; null if the file lacks it. */
  readonly architecture: string | null;
  /**
   * Every key. Arrays and very long strings are abridged. Integers beyond 2^53, NaN and infinities are
   * strings.
   */
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
    /** Tensors stored as −1, 0 or 1 times a scale. */
    readonly ternaryParameters: number;
    readonly bytesByType: Readonly<Record<string, number>>;
    readonly fileBytes: number;
    /** Why loading would fail, as far as the header shows; null without a reason. */
    readonly problem: string | null;
    readonly estimatedMemory: EstimatedMemory;
    /** Weights read from memory to generate one token. They limit its speed. The KV cache comes on top. */
    readonly bytesPerToken: number;
    /** Bytes of the KV cache read for each earlier position; null if the metadata does not say. */
    readonly kvBytesPerPosition: number | null;
  };
}

/**
 * Bytes of a loaded model, by the functions that plan its memory. If it cannot be loaded, the tensors' bytes
 * in the file.
 */
export interface EstimatedMemory {
  /** All weights but the head. */
  readonly weights: number;
  /** The output matrix: the embedding, if they are tied. */
  readonly head: number;
  /** Whether that is a compact copy, with its rows left in the file. */
  readonly headScreened: boolean;
  /** Keys and values of a full context; null if the metadata does not say. */
  readonly kvCache: number | null;
  /** Buffers of one session, and tables; null if the model cannot be loaded. */
  readonly work: number | null;
  /** The context length that `kvCache` and `work` are for. */
  readonly contextLength: number | null;
  /** The number of threads that `work` is for. */
  readonly threads: number;
  readonly total: number;
}

export interface InspectOptions {
  /** Positions to estimate memory for. Default: the model's own. */
  readonly contextLength?: number | undefined;
  /** Threads to estimate memory for. Default: 1. */
  readonly threads?: number | undefined;
}

type Costs = Pick<
  Inspection["summary"],
  "problem" | "estimatedMemory" | "bytesPerToken" | "kvBytesPerPosition"
>;

const longestString = 16_384;
const firstElements = 8;
const firstCharacters = 256;
const kvCacheElementBytes = 2;

/** Describes an opened file: its metadata, tensors and cost. It refuses nothing; unknown values are null. */
export function inspectModel(file: ModelFile, options: InspectOptions = {}): Inspection {
  const tensors = Array.from(file.tensors.values());
  const architecture = file.metadata.get("general.architecture");
  const totals = sumTensors(tensors);
  return {
    architecture: typeof architecture === "string" ? architecture : null,
    // fromEntries defines properties, so a key such as "__proto__" is an ordinary one.
    metadata: Object.fromEntries(
      Array.from(file.metadata, ([key, value]) => [key, describe(value, file.metadataTypes.get(key))]),
    ),
    tensors: tensors.map(({ name, shape, type, bytes }) => ({ name, shape, type, bytes })),
    summary: {
      ...totals,
      fileBytes: file.source.size,
      ...costsOf(file, tensors, options),
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

function costsOf(file: ModelFile, tensors: readonly TensorInfo[], options: InspectOptions): Costs {
  try {
    return plannedCosts(file, options);
  } catch (error) {
    // Not a model that can run here: a description without its graph.
    if (error instanceof BitNetError) return storedCosts(file, tensors, options, error.message);
    throw error;
  }
}

/** @throws BitNetError UNSUPPORTED_ARCHITECTURE or MODEL_INVALID for a model without a graph here. */
function plannedCosts(file: ModelFile, { contextLength, threads = 1 }: InspectOptions): Costs {
  const description = describeModel(file);
  const positions = contextLength ?? description.sizes.contextLength;
  let problem =
    positions > description.sizes.contextLength
      ? `A context of ${positions} tokens is more than the model was made for (${description.sizes.contextLength})`
      : null;
  const bytesOf = (role: MatrixRole): number => {
    try {
      return packedBytes(file, role);
    } catch (error) {
      if (!(error instanceof BitNetError)) throw error;
      // No kernel reads this type: as many bytes as in the file.
      problem ??= error.message;
      return file.tensors.get(role.tensor)?.bytes ?? 0;
    }
  };
  const estimate = estimateMemory(file, description, { contextLength: positions, threads, bytesOf });
  const { weights, head, headScreened, kvCache, work, bytesPerToken } = estimate;
  return {
    problem,
    estimatedMemory: {
      weights,
      head,
      headScreened,
      kvCache,
      work,
      contextLength: positions,
      threads,
      total: weights + head + kvCache + work,
    },
    bytesPerToken,
    kvBytesPerPosition: estimate.kvBytesPerPosition,
  };
}

function storedCosts(
  file: ModelFile,
  tensors: readonly TensorInfo[],
  options: InspectOptions,
  problem: string,
): Costs {
  const all = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  const embedding = file.tensors.get("token_embd.weight");
  const output = file.tensors.get("output.weight");
  const head = (output ?? embedding)?.bytes ?? 0;
  const contextLength = options.contextLength ?? hyperparameter(file.metadata, "context_length") ?? null;
  const perPosition = kvBytesPerPosition(file.metadata) ?? null;
  const kvCache = perPosition === null || contextLength === null ? null : perPosition * contextLength;
  return {
    problem,
    estimatedMemory: {
      weights: all - head,
      head,
      headScreened: false,
      kvCache,
      work: null,
      contextLength,
      threads: options.threads ?? 1,
      total: all + (kvCache ?? 0),
    },
    // One row is read of an embedding that is not also the head.
    bytesPerToken: output === undefined ? all : all - (embedding?.bytes ?? 0),
    kvBytesPerPosition: perPosition,
  };
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
  return layers * kvHeads * (keySize + valueSize) * kvCacheElementBytes;
}

/** A number under the architecture's name. Undefined if it is absent, or a list per layer. */
function hyperparameter(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(`${String(metadata.get("general.architecture"))}.${key}`);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function describe(value: MetadataValue, type: MetadataType = "array[]"): JsonValue {
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return { ...abridge(value, type) };
  if (value.length <= longestString) return value;
  return { type: "string", length: value.length, first: value.slice(0, firstCharacters) };
}

function abridge(array: Exclude<MetadataValue, string | number | bigint | boolean>, type: string): Abridged {
  const first = Array.from<MetadataValue, JsonValue>(array.slice(0, firstElements), (element) =>
    describe(element),
  );
  return { type, length: array.length, first };
}
