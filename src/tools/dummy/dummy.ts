import { BitNetError, throwIfAborted } from "../../errors.js";
import { fileTypeOf } from "../../files/file-types.js";
import { planTensor, writeGguf, type TensorWriter } from "../../files/gguf-writer.js";
import { createFileSink } from "../../platform/node-file-sink.js";
import { f32 } from "../../weight-formats/f32.js";
import { weightFormatByName, weightFormats, type WeightFormat } from "../../weight-formats/index.js";
import { dummyMetadata } from "./metadata.js";
import { dummyShapes, dummyTensors, type DummyRole, type DummyShape, type DummyTensor } from "./shapes.js";
import { createRandomFill } from "./random-fill.js";
import { createPoolFill, createWeightPool, type WeightPool } from "./random-weights.js";

export interface DummyOptions {
  /** A name from `dummyShapes`: "2B4T", "125M", … */
  readonly size: string;
  /** Path of the file. An existing file is replaced when the new one is complete. */
  readonly path: string;
  /** Format of the layers' matrices, a name from `dummyTypes` in any case. Default "i2_s". Norms are F32. */
  readonly type?: string | undefined;
  /** Format of the embedding, which is also the output head. Default "f16". */
  readonly headType?: string | undefined;
  /** An integer; the same seed gives the same file. Default 0. */
  readonly seed?: number | undefined;
  readonly onProgress?: ((progress: DummyProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of tensors written so far, and of all tensors. */
export interface DummyProgress {
  readonly stage: "write";
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** Tensor types of dummy models, as users type them. */
export const dummyTypes: readonly string[] = weightFormats
  .filter(({ encode }) => encode !== undefined)
  .map(({ name }) => name.toLowerCase());

/** Two chunks: one is filled while the other is written. */
const chunkBytes = 4 * 2 ** 20;
/**
 * The standard deviation of logits: large enough for one token to stand out, small enough for sampling to
 * vary.
 */
const logitDeviation = 1.5;

/**
 * Writes a model of a published shape with random weights, to measure speed and memory without its real
 * weights. Memory holds a few chunks, some blocks and the vocabulary, for a file of any size.
 *
 * Weights are scaled so that numbers stay in the range of a trained model. Every matrix keeps the variance of
 * its input. Matrices that add to the residual stream share one unit among all layers. Norms are near 1. The
 * tokenizer works: it is the embedded model's vocabulary, extended with placeholders.
 *
 * @returns the number of tensor bytes written
 * @throws BitNetError INVALID_ARGUMENT for an unknown size or type, a type whose blocks do not fit rows of
 *   the size, or a bad seed; FILE_WRITE if the host fails; the signal's reason. After a failure nothing
 *   remains.
 */
export async function writeDummyModel(options: DummyOptions): Promise<{ readonly tensorBytes: number }> {
  const { size, path, type = "i2_s", headType = "f16", seed = 0, signal } = options;
  const shape = dummyShapes.get(size);
  if (shape === undefined) {
    throw invalid(`unknown size "${size}"; choose one of ${[...dummyShapes.keys()].join(", ")}`);
  }
  if (!Number.isSafeInteger(seed)) throw invalid(`seed ${seed} is not an integer`);
  const matrixFormat = requireFormat(type, "type");
  const headFormat = requireFormat(headType, "head type");
  throwIfAborted(signal);

  const formats: Readonly<Record<DummyRole, WeightFormat>> = {
    embedding: headFormat,
    norm: f32,
    linear: matrixFormat,
    residual: matrixFormat,
  };
  const tensors = dummyTensors(shape);
  requireRowsFit(size, tensors, formats);
  const plans = tensors.map((tensor) => planTensor(tensor.name, tensor.shape, formats[tensor.role]));
  const totalBytes = plans.reduce((sum, plan) => sum + plan.bytes, 0);
  const metadata = await dummyMetadata(size, shape, fileTypeOf(matrixFormat.name));
  const sink = await createFileSink(path);
  await writeGguf(
    sink,
    { metadata, tensors: plans },
    (write) => fillTensors(tensors, shape, formats, seed, progressing(write, totalBytes, options.onProgress)),
    { signal },
  );
  return { tensorBytes: totalBytes };
}

async function fillTensors(
  tensors: readonly DummyTensor[],
  shape: DummyShape,
  formats: Readonly<Record<DummyRole, WeightFormat>>,
  seed: number,
  write: TensorWriter,
): Promise<void> {
  const buffers = [new Uint16Array(chunkBytes / 2), new Uint16Array(chunkBytes / 2)] as const;
  let turn = 0;
  let pending: Promise<void> = Promise.resolve();
  const poolOf = createPools(seed);

  for (const [stream, { name, shape: size, role }] of tensors.entries()) {
    const elements = size.reduce((product, count) => product * count, 1);
    if (role === "norm") {
      await pending;
      pending = quietly(write(name, normWeights(elements, seed, stream)));
      continue;
    }
    const pool = poolOf(formats[role], deviationOf(role, shape, size[0] as number));
    const fill = createPoolFill(seed, stream);
    const chunkWords = Math.floor(chunkBytes / 2 / pool.blockWords) * pool.blockWords;
    let left = (formats[role].tensorBytes(elements) - pool.tail.length) / 2;
    while (left > 0) {
      const chunk = (buffers[turn] as Uint16Array).subarray(0, Math.min(chunkWords, left));
      turn = 1 - turn;
      fill(chunk, pool);
      await pending;
      pending = quietly(write(name, new Uint8Array(chunk.buffer, 0, chunk.byteLength)));
      left -= chunk.length;
    }
    await pending;
    if (pool.tail.length > 0) pending = quietly(write(name, pool.tail));
  }
  await pending;
}

function deviationOf(role: DummyRole, shape: DummyShape, cols: number): number {
  if (role === "embedding") return logitDeviation / Math.sqrt(shape.width);
  // A sum over `cols` inputs of variance 1 has the variance cols · deviation². So the gain is 1, or its share
  // for matrices that add up.
  const gain = role === "residual" ? 1 / Math.sqrt(2 * shape.layers) : 1;
  return gain / Math.sqrt(cols);
}

/** Makes each pool on first use. A model has four or five. */
function createPools(seed: number): (format: WeightFormat, deviation: number) => WeightPool {
  const pools = new Map<string, WeightPool>();
  return (format, deviation) => {
    const key = `${format.name} ${deviation}`;
    const pool = pools.get(key) ?? createWeightPool(format, deviation, seed);
    pools.set(key, pool);
    return pool;
  };
}

function normWeights(elements: number, seed: number, stream: number): Uint8Array {
  const bits = new Uint16Array(elements);
  createRandomFill(seed, stream)(bits);
  const weights = Float32Array.from(bits, (value) => 1 + 0.2 * (value / 65_536 - 0.5));
  return new Uint8Array(weights.buffer);
}

function requireFormat(name: string, what: string): WeightFormat {
  const format = weightFormatByName(name);
  if (format?.encode !== undefined) return format;
  throw invalid(`unknown ${what} "${name}"; choose one of ${dummyTypes.join(", ")}`);
}

/** Rows must be whole blocks, or such a file does not exist. */
function requireRowsFit(
  size: string,
  tensors: readonly DummyTensor[],
  formats: Readonly<Record<DummyRole, WeightFormat>>,
): void {
  for (const { role, name, shape } of tensors) {
    const { name: type, blockElements } = formats[role];
    const cols = shape[0] as number;
    if (cols % blockElements === 0) continue;
    const same = tensors.filter((tensor) => formats[tensor.role] === formats[role]);
    const fitting = weightFormats.filter(
      (format) =>
        format.encode !== undefined &&
        same.every((tensor) => (tensor.shape[0] as number) % format.blockElements === 0),
    );
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot write a dummy model: ${size} has rows of ${cols} ("${name}"), and ${type} holds blocks of ${blockElements}; ` +
        `types that fit: ${fitting.map((format) => format.name.toLowerCase()).join(", ")}`,
      { details: { tensor: name, cols, blockElements } },
    );
  }
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

/** Marks a promise that is awaited later as handled. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}

function invalid(what: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Cannot write a dummy model: ${what}`);
}
