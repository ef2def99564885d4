import { BitNetError, throwIfAborted } from "../errors.js";
import type { FileSink } from "../platform/file-sink.js";
import type { WeightFormat } from "../weight-formats/index.js";
import { encodeGgufHeader, type GgufHeader, type GgufValue, type TensorPlan } from "./gguf-header.js";
import type { ModelFile } from "./model-file.js";

export type { GgufHeader, GgufValue, TensorPlan } from "./gguf-header.js";

/**
 * Appends bytes to a tensor. Tensors are written in the order of the plan, each from front to back, in chunks
 * of any size. `chunk` must not change until the promise settles. Meanwhile the caller may prepare the next
 * one.
 */
export type TensorWriter = (tensor: string, chunk: Uint8Array) => Promise<void>;

/** The plan of a tensor of `shape`, fastest-varying size first, in a format. */
export function planTensor(name: string, shape: readonly number[], format: WeightFormat): TensorPlan {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { name, shape, typeId: format.id, bytes: format.tensorBytes(elements) };
}

/** The metadata of an opened file for a writer, with the stored type of every value. */
export function writableMetadata(file: ModelFile): ReadonlyMap<string, GgufValue> {
  const entries = Array.from(file.metadata, ([key, value]): [string, GgufValue] => [
    key,
    { type: file.metadataTypes.get(key) ?? "array[]", value },
  ]);
  return new Map(entries);
}

/**
 * Writes a GGUF file, version 3. Holds only the header and the chunks of `fill` in memory.
 *
 * @param sink committed after `fill` has written every tensor; discarded on any failure, so that no partial
 *   file remains
 * @param fill writes the data of every tensor
 * @throws BitNetError INVALID_ARGUMENT for invalid metadata, plans or chunks; FILE_WRITE if the host fails;
 *   any error of `fill`; the signal's reason.
 */
export async function writeGguf(
  sink: FileSink,
  header: GgufHeader,
  fill: (write: TensorWriter) => Promise<void>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  try {
    throwIfAborted(options.signal);
    const encoded = encodeGgufHeader(header);
    await sink.write(encoded.bytes);
    const data = new TensorData(sink, header.tensors, encoded.alignment, options.signal);
    await fill((tensor, chunk) => data.write(tensor, chunk));
    throwIfAborted(options.signal);
    data.requireComplete();
    await sink.commit();
  } catch (error) {
    await sink.discard();
    throw error;
  }
}

/** The tensors in order, with their progress. */
class TensorData {
  readonly #sink: FileSink;
  readonly #plans: readonly TensorPlan[];
  readonly #alignment: number;
  readonly #signal: AbortSignal | undefined;
  #index = 0;
  #written = 0;

  constructor(
    sink: FileSink,
    plans: readonly TensorPlan[],
    alignment: number,
    signal: AbortSignal | undefined,
  ) {
    this.#sink = sink;
    this.#plans = plans;
    this.#alignment = alignment;
    this.#signal = signal;
  }

  async write(tensor: string, chunk: Uint8Array): Promise<void> {
    throwIfAborted(this.#signal);
    const plan = this.#plans[this.#index];
    if (plan?.name !== tensor) {
      throw invalid(`tensor "${tensor}" is not the next to write; expected "${plan?.name ?? "none"}"`);
    }
    if (this.#written + chunk.length > plan.bytes) {
      throw invalid(
        `tensor "${tensor}" has ${plan.bytes} bytes; ${this.#written + chunk.length} were written`,
      );
    }
    this.#written += chunk.length;
    const writes = [this.#sink.write(chunk)];
    if (this.#written === plan.bytes) {
      // Also after the last tensor, like other writers.
      const padding = (this.#alignment - (plan.bytes % this.#alignment)) % this.#alignment;
      if (padding > 0) writes.push(this.#sink.write(new Uint8Array(padding)));
      this.#index += 1;
      this.#written = 0;
    }
    await Promise.all(writes);
  }

  requireComplete(): void {
    const plan = this.#plans[this.#index];
    if (plan) throw invalid(`tensor "${plan.name}" has ${plan.bytes} bytes; ${this.#written} were written`);
  }
}

function invalid(what: string): BitNetError {
  return new BitNetError("INVALID_ARGUMENT", `Cannot write GGUF: ${what}`);
}
