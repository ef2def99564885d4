import { describeModel, type MatrixRole, type ModelDescription } from "../architectures/index.js";
import { BitNetError, throwIfAborted } from "../errors.js";
import type { Metadata, MetadataType, MetadataValue, ModelFile, TensorInfo } from "../files/index.js";
import {
  findSource,
  localSource,
  embeddedModelUrl,
  type ModelSource,
} from "../language-model/find-source.js";
import { checkCacheType, checkPacking, maxThreads } from "../language-model/load-options.js";
import type { CacheType } from "../wasm/cache-types.js";
import { cacheFormat } from "../model/cache-format.js";
import { choosePacking, type PackingChoice } from "../model/choose-packing.js";
import { checkWhole } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import { availableParallelism, freeMemoryBytes } from "#platform";
import { estimateMemory } from "../engine/memory-estimate.js";
import { packedBytes } from "../packing/pack.js";
import type { PackingGoal } from "../packing/packing.js";

/** A metadata value that `JSON.stringify` writes without loss. */
export type JsonValue =
  string | number | boolean | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The beginning of a long metadata value. */
export interface AbridgedValue {
  /** GGUF type of the value, such as "string". */
  readonly type: string;
  /** Elements of an array, or UTF-16 units of a string. */
  readonly length: number;
  /** The first elements or characters. */
  readonly first: JsonValue;
}

/** The description of a model: plain data that JSON can hold. */
export interface Inspection {
  /** `general.architecture`. Null if the file has none. */
  readonly architecture: string | null;
  /**
   * Every metadata key. Arrays, and strings of more than 16,384 UTF-16 units, are abridged. Integers beyond
   * 2^53, NaN and infinities are strings.
   */
  readonly metadata: Readonly<Record<string, JsonValue>>;
  /** In the order of the file. A shape begins with the fastest-varying size. */
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: string;
    readonly bytes: number;
  }[];
  /** Totals and estimates. */
  readonly summary: {
    /** Number of elements in all tensors. */
    readonly parameters: number;
    /** Number of elements that are stored as −1, 0 or 1 times a scale. */
    readonly ternaryParameters: number;
    /** Bytes in the file by tensor type. */
    readonly bytesByType: Readonly<Record<string, number>>;
    /** Size of the file, or of all files of a checkpoint, in bytes. */
    readonly fileBytes: number;
    /** Why loading would fail. Null if the header shows no reason. */
    readonly problem: string | null;
    /** How loading would keep ternary weights. Null if the model cannot be loaded. */
    readonly packing: PackingGoal | null;
    /** Bytes of memory that loading plans for. */
    readonly estimatedMemory: EstimatedMemory;
    /** Bytes of weights that are read to generate one token, without the KV cache. They limit the speed. */
    readonly bytesPerToken: number;
    /** Bytes of the KV cache that are read per earlier position. Null if the metadata does not say. */
    readonly kvBytesPerPosition: number | null;
  };
}

/**
 * Bytes of a loaded model, as loading plans them. If the model cannot be loaded, the bytes of its tensors in
 * the file.
 */
export interface EstimatedMemory {
  /** All weights except the head. */
  readonly weights: number;
  /** The output head, which is also the embedding if they are tied. */
  readonly head: number;
  /** Whether the head is an int8 copy, while its rows stay in the file. */
  readonly headScreened: boolean;
  /** The KV cache of a full context. Null if the metadata does not say. */
  readonly kvCache: number | null;
  /** Buffers of one session, and tables. Null if the model cannot be loaded. */
  readonly work: number | null;
  /** Positions that `kvCache` and `work` are for. */
  readonly contextLength: number | null;
  /** Worker threads that `work` is for. */
  readonly threads: number;
  /** Sum of all bytes above. */
  readonly total: number;
}

/** Options of `inspectModel`. */
export interface InspectOptions {
  /** Positions to estimate memory for, from 1. Default: the model's own. */
  readonly contextLength?: number | undefined;
  /** Worker threads to estimate memory for, 1 to 256. Default: the host's available parallelism. */
  readonly threads?: number | undefined;
  /** As in `loadModel`. Default: "auto". */
  readonly packing?: PackingChoice | undefined;
  /** As in `loadModel`. Default: "f16". */
  readonly cacheType?: CacheType | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof InspectOptions, true> = {
  contextLength: true,
  threads: true,
  packing: true,
  cacheType: true,
  signal: true,
};

/** The case that memory is estimated for. */
type Estimated = Pick<InspectOptions, "contextLength" | "packing" | "cacheType"> & {
  readonly threads: number;
};

type Costs = Pick<
  Inspection["summary"],
  "problem" | "packing" | "estimatedMemory" | "bytesPerToken" | "kvBytesPerPosition"
>;

const maxStringLength = 16_384;
const firstElements = 8;
const firstCharacters = 256;

/**
 * Describes a model from its header: metadata, tensors, and the memory that loading it plans for. Weights are
 * not read, and a model that cannot run is described all the same.
 *
 * @param source as `loadModel`. A remote model is downloaded first. Default: the embedded model.
 * @example
 * const { architecture, summary } = await inspectModel("model.gguf");
 * console.log(architecture, summary.estimatedMemory.total, "bytes");
 * @throws BitNetError INVALID_ARGUMENT, FILE_NOT_FOUND, FILE_CORRUPT, FILE_READ, UNSUPPORTED_FILE,
 *   MODEL_INVALID, and the codes of `fetchModel`. Rejects with `signal.reason`.
 */
export async function inspectModel(source?: ModelSource, options: InspectOptions = {}): Promise<Inspection> {
  refuseUnknownOptions("inspectModel", options, Object.keys(knownOptions));
  const { signal, contextLength, packing, cacheType } = options;
  const { threads = Math.min(availableParallelism(), maxThreads) } = options;
  if (contextLength !== undefined) checkWhole("contextLength", contextLength, 1);
  checkWhole("threads", threads, 1, maxThreads);
  checkPacking(packing);
  checkCacheType(cacheType);
  throwIfAborted(signal);
  const found = await findSource(await localSource(source ?? embeddedModelUrl, { signal }));
  try {
    return inspectFile(await found.open({ signal }), { contextLength, threads, packing, cacheType });
  } finally {
    await found.close();
  }
}

/** Describes an open file. Refuses nothing: unknown facts are null. */
export function inspectFile(file: ModelFile, options: Estimated = { threads: 1 }): Inspection {
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

function costsOf(file: ModelFile, tensors: readonly TensorInfo[], options: Estimated): Costs {
  try {
    return plannedCosts(file, options);
  } catch (error) {
    // Not a model that can run here: a description without its graph.
    if (error instanceof BitNetError) return storedCosts(file, tensors, options, error.message);
    throw error;
  }
}

/** @throws BitNetError for a model without a graph here. */
function plannedCosts(file: ModelFile, options: Estimated): Costs {
  const { contextLength, threads, packing = "auto", cacheType = "f16" } = options;
  const description = describeModel(file);
  const positions = contextLength ?? description.sizes.contextLength;
  const goal = goalOf(file, description, packing, options);
  let problem =
    positions > description.sizes.contextLength
      ? `A context of ${positions} tokens is more than the model supports (${description.sizes.contextLength})`
      : null;
  const bytesOf = (role: MatrixRole): number => {
    try {
      return packedBytes(file, role, goal);
    } catch (error) {
      if (!(error instanceof BitNetError)) throw error;
      // No kernel reads this type: as many bytes as in the file.
      problem ??= error.message;
      return file.tensors.get(role.tensor)?.bytes ?? 0;
    }
  };
  const estimate = estimateMemory(file, description, {
    contextLength: positions,
    cacheType,
    threads,
    goal,
    bytesOf,
  });
  const { weights, head, headScreened, kvCache, work, bytesPerToken } = estimate;
  return {
    problem,
    packing: goal,
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

/** The packing that loading would choose now. A type that no kernel reads fits in neither: "fast". */
function goalOf(
  file: ModelFile,
  description: ModelDescription,
  choice: PackingChoice,
  { contextLength, threads, cacheType = "f16" }: Estimated,
): PackingGoal {
  const wishes = {
    head: "auto",
    sparsity: "auto",
    contextLength,
    threads,
    cacheType,
    freeBytes: freeMemoryBytes(),
  } as const;
  try {
    return choosePacking(file, description, choice, wishes);
  } catch (error) {
    if (error instanceof BitNetError) return "fast";
    throw error;
  }
}

function storedCosts(
  file: ModelFile,
  tensors: readonly TensorInfo[],
  options: Estimated,
  problem: string,
): Costs {
  const all = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  const embedding = file.tensors.get("token_embd.weight");
  const output = file.tensors.get("output.weight");
  const head = (output ?? embedding)?.bytes ?? 0;
  const contextLength = options.contextLength ?? hyperparameter(file.metadata, "context_length") ?? null;
  const perPosition = kvBytesPerPosition(file.metadata, options.cacheType ?? "f16") ?? null;
  const kvCache = perPosition === null || contextLength === null ? null : perPosition * contextLength;
  return {
    problem,
    packing: null,
    estimatedMemory: {
      weights: all - head,
      head,
      headScreened: false,
      kvCache,
      work: null,
      contextLength,
      threads: options.threads,
      total: all + (kvCache ?? 0),
    },
    // One row is read of an embedding that is not also the head.
    bytesPerToken: output === undefined ? all : all - (embedding?.bytes ?? 0),
    kvBytesPerPosition: perPosition,
  };
}

function kvBytesPerPosition(metadata: Metadata, cacheType: CacheType): number | undefined {
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
  const keys = cacheFormat(cacheType, { headSize: keySize }).keys.bytes;
  const values = cacheFormat(cacheType, { headSize: valueSize }).values.bytes;
  return layers * kvHeads * (keys + values);
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
  if (value.length <= maxStringLength) return value;
  return { type: "string", length: value.length, first: value.slice(0, firstCharacters) };
}

function abridge(
  array: Exclude<MetadataValue, string | number | bigint | boolean>,
  type: string,
): AbridgedValue {
  const first = Array.from<MetadataValue, JsonValue>(array.slice(0, firstElements), (element) =>
    describe(element),
  );
  return { type, length: array.length, first };
}
