import { fileURLToPath } from "node:url";
import { BitNetError, throwIfAborted } from "../errors.js";
import { openGguf } from "../files/gguf.js";
import { planTensor, writeGguf, type GgufValue, type TensorWriter } from "../files/gguf-writer.js";
import { createFileSink, openFileSource } from "../platform/node.js";
import { numberToFloat16 } from "../weight-formats/float16.js";
import { weightFormatById } from "../weight-formats/index.js";
import type { WeightFormat } from "../weight-formats/index.js";
import { dummyShapes, dummyTensors, type DummyShape, type DummyTensor } from "./dummy-shapes.js";
import { extendVocabulary } from "./dummy-vocabulary.js";
import { createTableFill, ternaryCodeTable, uniformTable } from "./random-fill.js";

export interface DummyOptions {
  /** A name from `dummyShapes`: "2B4T", "125M", … */
  readonly size: string;
  /** Where to write; what is there is replaced when the new file is whole. */
  readonly path: string;
  /** How the matrices are stored: "i2_s" (default) or "f16". Embeddings are F16 and norms F32. */
  readonly type?: string | undefined;
  /** An integer; the same seed gives the same file. Default 0. */
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: DummyProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of tensors written so far, and of all of them. */
export interface DummyProgress {
  readonly stage: "write";
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** The chunks that are filled while the one before is being written. */
const CHUNK_BYTES = 4 * 2 ** 20;
/** The standard deviation of logits: enough for one token to stand out, little enough for sampling to vary. */
const LOGIT_DEVIATION = 1.5;

interface MatrixType {
  /** GGUF tensor type and file type ids. */
  readonly formatId: number;
  readonly fileType: number;
  /** 16 bits of the tensor by 16 random bits, for weights of a standard deviation. */
  table(deviation: number): Uint16Array;
  /** What follows the weights. */
  tail(deviation: number): Uint8Array;
}

const codeTable: () => Uint16Array = once(ternaryCodeTable);

const matrixTypes: ReadonlyMap<string, MatrixType> = new Map<string, MatrixType>([
  [
    "i2_s",
    {
      formatId: 36,
      fileType: 40,
      table: () => codeTable(),
      // Two of three weights are ±d, so that their deviation is d·√(2/3).
      tail: (deviation) => new Uint8Array(new Float32Array(8).fill(deviation * Math.sqrt(1.5)).buffer),
    },
  ],
  ["f16", { formatId: 1, fileType: 1, table: float16Table, tail: () => new Uint8Array(0) }],
]);

/**
 * Writes a model of a published shape with random weights, to measure speed and memory without its real weights. It
 * holds a few chunks and the vocabulary in memory, whatever the size of the file.
 *
 * Weights are scaled so that numbers stay in the range of a trained model: every matrix keeps the variance of its input,
 * those that add to the residual stream share one unit among all layers, and norms are near 1. The tokenizer is usable:
 * the embedded model's vocabulary, filled up with placeholders.
 *
 * @returns The number of bytes of tensors written.
 * @throws BitNetError INVALID_ARGUMENT for an unknown size or type or a bad seed; FILE_WRITE if the host fails; the
 *   signal's reason. On failure nothing is left behind.
 */
export async function writeDummyModel(options: DummyOptions): Promise<{ readonly tensorBytes: number }> {
  const { size, path, type = "i2_s", seed = 0, signal } = options;
  const shape = lookUp(dummyShapes, size, "size");
  const matrixType = lookUp(matrixTypes, type.toLowerCase(), "type");
  if (!Number.isSafeInteger(seed)) throw invalid(`seed ${seed} is not an integer`);
  throwIfAborted(signal);

  const tensors = dummyTensors(shape);
  const plans = tensors.map((tensor) =>
    planTensor(tensor.name, tensor.shape, requireFormat(formatIdOf(tensor, matrixType))),
  );
  const totalBytes = plans.reduce((sum, plan) => sum + plan.bytes, 0);
  const metadata = await dummyMetadata(size, shape, matrixType.fileType);
  const sink = await createFileSink(path);
  await writeGguf(
    sink,
    { metadata, tensors: plans },
    (write) =>
      fillTensors(tensors, shape, matrixType, seed, progressing(write, totalBytes, options.onProgress)),
    { signal },
  );
  return { tensorBytes: totalBytes };
}

async function fillTensors(
  tensors: readonly DummyTensor[],
  shape: DummyShape,
  matrixType: MatrixType,
  seed: number,
  write: TensorWriter,
): Promise<void> {
  const buffers = [new Uint16Array(CHUNK_BYTES / 2), new Uint16Array(CHUNK_BYTES / 2)] as const;
  let turn = 0;
  let pending: Promise<void> = Promise.resolve();
  const embeddingTable = float16Table(LOGIT_DEVIATION / Math.sqrt(shape.width));

  for (const [stream, { name, shape: size, role }] of tensors.entries()) {
    const elements = size.reduce((product, count) => product * count, 1);
    if (role === "norm") {
      await pending;
      pending = quietly(write(name, normWeights(elements, seed, stream)));
      continue;
    }
    // The variance of a sum over `cols` inputs of variance 1 is cols · deviation²: gain 1, shared where it adds up.
    const gain = role === "residual" ? 1 / Math.sqrt(2 * shape.layers) : 1;
    const deviation = gain / Math.sqrt(size[0] as number);
    const isEmbedding = role === "embedding";
    const table = isEmbedding ? embeddingTable : matrixType.table(deviation);
    const tail = isEmbedding ? new Uint8Array(0) : matrixType.tail(deviation);
    const total = requireFormat(isEmbedding ? 1 : matrixType.formatId).tensorBytes(elements) - tail.length;

    const fill = createTableFill(seed, stream);
    for (let done = 0; done < total;) {
      const chunk = (buffers[turn] as Uint16Array).subarray(0, Math.min(CHUNK_BYTES, total - done) / 2);
      turn = 1 - turn;
      fill(chunk, table);
      await pending;
      pending = quietly(write(name, new Uint8Array(chunk.buffer, 0, chunk.byteLength)));
      done += chunk.byteLength;
    }
    await pending;
    if (tail.length > 0) pending = quietly(write(name, tail));
  }
  await pending;
}

function normWeights(elements: number, seed: number, stream: number): Uint8Array {
  const bits = new Uint16Array(elements);
  createTableFill(seed, stream)(
    bits,
    Uint16Array.from({ length: 65_536 }, (_, index) => index),
  );
  const weights = Float32Array.from(bits, (value) => 1 + 0.2 * (value / 65_536 - 0.5));
  return new Uint8Array(weights.buffer);
}

/** Half-precision values spread evenly around 0 with a standard deviation. */
function float16Table(deviation: number): Uint16Array {
  return uniformTable(deviation * Math.sqrt(3), numberToFloat16);
}

async function dummyMetadata(
  size: string,
  shape: DummyShape,
  fileType: number,
): Promise<ReadonlyMap<string, GgufValue>> {
  const vocabulary = await loadVocabulary(shape.vocabSize);
  const { architecture } = shape;
  const text = (value: string): GgufValue => ({ type: "string", value });
  const count = (value: number): GgufValue => ({ type: "uint32", value });
  const real = (value: number): GgufValue => ({ type: "float32", value });
  return new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.name", text(`dummy ${size} (random weights)`)],
    [`${architecture}.vocab_size`, count(shape.vocabSize)],
    [`${architecture}.context_length`, count(shape.contextLength)],
    [`${architecture}.embedding_length`, count(shape.width)],
    [`${architecture}.block_count`, count(shape.layers)],
    [`${architecture}.feed_forward_length`, count(shape.feedForward)],
    [`${architecture}.rope.dimension_count`, count(shape.width / shape.heads)],
    [`${architecture}.attention.head_count`, count(shape.heads)],
    [`${architecture}.attention.head_count_kv`, count(shape.kvHeads)],
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: true }],
    [`${architecture}.attention.layer_norm_rms_epsilon`, real(1e-5)],
    [`${architecture}.rope.freq_base`, real(shape.ropeTheta)],
    ["general.file_type", count(fileType)],
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("llama-bpe")],
    ["tokenizer.ggml.tokens", { type: "string[]", value: vocabulary.tokens }],
    ["tokenizer.ggml.token_type", { type: "int32[]", value: vocabulary.tokenTypes }],
    ["tokenizer.ggml.merges", { type: "string[]", value: vocabulary.merges }],
    ["tokenizer.ggml.bos_token_id", count(vocabulary.bosId)],
    ["tokenizer.ggml.eos_token_id", count(vocabulary.eosId)],
    ["tokenizer.ggml.eot_token_id", count(vocabulary.eotId)],
    ["tokenizer.ggml.padding_token_id", count(vocabulary.eosId)],
    ["general.quantization_version", count(2)],
  ]);
}

async function loadVocabulary(vocabSize: number): Promise<ReturnType<typeof extendVocabulary>> {
  const source = await openFileSource(
    fileURLToPath(new URL("../../models/storyteller.gguf", import.meta.url)),
  );
  try {
    return extendVocabulary((await openGguf(source)).metadata, vocabSize);
  } finally {
    await source.close();
  }
}

function formatIdOf(tensor: DummyTensor, matrixType: MatrixType): number {
  if (tensor.role === "norm") return 0;
  return tensor.role === "embedding" ? 1 : matrixType.formatId;
}

function requireFormat(id: number): WeightFormat {
  const format = weightFormatById(id);
  if (format) return format;
  throw invalid(`no weight format has id ${id}`);
}

function progressing(
  write: TensorWriter,
  totalBytes: number,
  onProgress: DummyOptions["onProgress"],
): TensorWriter {
  let loadedBytes = 0;
  return async (tensor, chunk) => {
    await write(tensor, chunk);
    loadedBytes += chunk.length;
    onProgress?.({ stage: "write", loadedBytes, totalBytes });
  };
}

/** A promise that is awaited later, and must not count as unhandled until then. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function lookUp<T>(table: ReadonlyMap<string, T>, name: string, what: string): T {
  const value = table.get(name);
  if (value !== undefined) return value;
  throw invalid(`unknown ${what} "${name}"; choose one of ${[...table.keys()].join(", ")}`);
}

function invalid(what: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Cannot write a dummy model: ${what}`);
}
