import { BitNetError, throwIfAborted } from "../../errors.js";
import { type TensorWriter, writeGguf } from "../../files/gguf-writer.js";
import type { ModelFile } from "../../files/model-file.js";
import { requireModel } from "../../files/require-model.js";
import { findSource, type ModelSource } from "../../language-model/find-source.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { createFileSink } from "../../platform/node-file-sink.js";
import { fileIdentity } from "../../platform/node-folder.js";
import { convertedMetadata } from "./metadata.js";
import { type ConversionPlan, planConversion, requireType, type TensorStep } from "./plan.js";
import { convertTensor } from "./tensor.js";

/** Options of `convert`. */
export interface ConvertOptions {
  /** Path of the GGUF file to write. */
  readonly output: string;
  /** Type of the layers' matrices, in any case: "i2_s", "tq2_0", "f16", … Default: "i2_s". */
  readonly type?: string | undefined;
  /** Type of the output head. Default: unchanged from a GGUF file, "f16" from a checkpoint. */
  readonly headType?: string | undefined;
  /**
   * True keeps scales in separate tensors if the type would round them to halves. Nothing is lost, but older
   * engines refuse the file. Default: false, like other converters.
   */
  readonly exactScales?: boolean | undefined;
  /** True replaces an existing file. Default: false. */
  readonly force?: boolean | undefined;
  /** Called as tensors are written. */
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined;
  /** Stops the conversion. Nothing is left on disk. */
  readonly signal?: AbortSignal | undefined;
}

const knownOptions: Record<keyof ConvertOptions, true> = {
  output: true,
  type: true,
  headType: true,
  exactScales: true,
  force: true,
  onProgress: true,
  signal: true,
};

/** Progress of a conversion. */
export interface ConvertProgress {
  /** Always "write". */
  readonly stage: "write";
  /** Bytes of tensors written so far. */
  readonly loadedBytes: number;
  /** Bytes of all tensors. */
  readonly totalBytes: number;
}

/** The result of `convert`. */
export interface Conversion {
  /** Path of the file. */
  readonly path: string;
  /** Type of the layers' matrices. */
  readonly type: string;
  /** Number of tensors. */
  readonly tensors: number;
  /** Bytes of all tensors. */
  readonly tensorBytes: number;
  /** Number of tensors whose scale was rounded to a half, and the largest relative change of a scale. */
  readonly roundedScales: { readonly tensors: number; readonly largestChange: number };
}

/**
 * Converts a GGUF file or a checkpoint folder to a GGUF file of another type. Tensors are converted in
 * pieces, so memory holds a few megabytes of weights, or one tensor if they are packed.
 *
 * The file appears under its name once it is complete and on disk. A failure leaves nothing behind.
 *
 * @param source a local source of `loadModel`: not a name on the hub, for which `fetchModel` gives the path.
 * @example
 * import { convert } from "bitnet-wasm";
 *
 * await convert("checkpoint-folder", { output: "model.gguf", type: "i2_s" });
 * @throws BitNetError INVALID_ARGUMENT also for an unknown type, for weights that the type cannot hold and
 *   for an output that is the input; FILE_WRITE also for an existing file; FILE_NOT_FOUND, FILE_CORRUPT,
 *   FILE_READ, UNSUPPORTED_FILE, UNSUPPORTED_TENSOR_TYPE, MODEL_INVALID. Rejects with `signal.reason`.
 */
export async function convert(source: ModelSource, options: ConvertOptions): Promise<Conversion> {
  refuseUnknownOptions("convert", options, Object.keys(knownOptions));
  if (typeof (options as Partial<ConvertOptions> | undefined)?.output !== "string") {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Cannot convert without an output: give the path of the GGUF file to write, { output }",
    );
  }
  const { output, type = "i2_s", headType, exactScales = false, force = false, signal } = options;
  const format = requireType("type", type);
  const headFormat = headType === undefined ? undefined : requireType("headType", headType);
  throwIfAborted(signal);
  const found = await findSource(source);
  try {
    await requireFreePath(output, found.paths, force);
    const file = await found.open({ signal, storedTables: true });
    requireModel(file);
    const plan = await planConversion(file, { format, headFormat, exactScales });
    const tensorBytes = plan.steps.reduce((sum, step) => sum + step.plan.bytes, 0);
    await writeFile(file, plan, tensorBytes, options);
    return {
      path: output,
      type: format.name,
      tensors: plan.steps.length,
      tensorBytes,
      roundedScales: plan.roundedScales,
    };
  } finally {
    await found.close();
  }
}

async function writeFile(
  file: ModelFile,
  { steps, format }: ConversionPlan,
  totalBytes: number,
  { output, force = false, onProgress, signal }: ConvertOptions,
): Promise<void> {
  const header = { metadata: convertedMetadata(file, format), tensors: steps.map(({ plan }) => plan) };
  let loadedBytes = 0;
  const fill = async (write: TensorWriter): Promise<void> => {
    // One piece is converted while the previous one is written.
    let pending: Promise<void> = Promise.resolve();
    for (const step of steps) {
      await writeStep(
        step,
        async (chunk) => {
          await pending;
          pending = quietly(write(step.plan.name, chunk));
          loadedBytes += chunk.length;
          onProgress?.({ stage: "write", loadedBytes, totalBytes });
        },
        signal,
      );
    }
    await pending;
    // Checked again: a file may have appeared during the conversion.
    if (!force) await requireFreePath(output, [], force);
  };
  await writeGguf(await createFileSink(output), header, fill, { signal });
}

function writeStep(
  step: TensorStep,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (step.kind === "convert") return convertTensor(step, write, signal);
  return write(new Uint8Array(Float32Array.of(step.scale).buffer));
}

/** @throws BitNetError FILE_WRITE unless the path is free, or with force is not the model itself. */
async function requireFreePath(output: string, inputs: readonly string[], force: boolean): Promise<void> {
  if (output === "") {
    throw new BitNetError("INVALID_ARGUMENT", "Invalid output: the path is empty", {
      details: { option: "output", value: output },
    });
  }
  const existing = await fileIdentity(output);
  if (existing === undefined) return;
  for (const input of inputs) {
    if ((await fileIdentity(input)) !== existing) continue;
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot convert to "${output}": it is "${input}", a file of the source model; choose another name`,
      { details: { option: "output", value: output } },
    );
  }
  if (force) return;
  throw new BitNetError(
    "FILE_WRITE",
    `Cannot write "${output}": it exists already; force (--force) replaces it`,
    { details: { path: output } },
  );
}

/** Marks a rejection as handled: the promise is awaited later. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
