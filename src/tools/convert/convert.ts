import { BitNetError, throwIfAborted } from "../../errors.js";
import { type TensorWriter, writeGguf } from "../../files/gguf-writer.js";
import type { ModelFile } from "../../files/model-file.js";
import { findSource, type ModelSource } from "../../language-model/find-source.js";
import { refuseUnknownOptions } from "../../options/known-options.js";
import { createFileSink, fileIdentity } from "../../platform/node.js";
import { convertedMetadata } from "./metadata.js";
import { type ConversionPlan, planConversion, requireType, type TensorStep } from "./plan.js";
import { convertTensor } from "./tensor.js";

export interface ConvertOptions {
  /** Path of the GGUF file. */
  readonly output: string;
  /** Format of the layers' matrices: "i2_s" (default), "tq2_0", "f16", … */
  readonly type?: string | undefined;
  /** Format of the output head. Default: unchanged for a GGUF file, F16 for a checkpoint. */
  readonly headType?: string | undefined;
  /**
   * Keeps a scale that is not a half in a tensor of its own, instead of rounding it. Nothing is lost, but
   * older engines refuse such a file. Default false, like other converters.
   */
  readonly exactScales?: boolean | undefined;
  /** Replace an existing file. Default false. */
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: ConvertProgress) => void) | undefined;
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

/** Bytes of tensors written so far, and of all of them. */
export interface ConvertProgress {
  readonly stage: "write";
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

/** Facts about the written file. */
export interface Conversion {
  readonly path: string;
  readonly type: string;
  readonly tensors: number;
  /** Bytes of all tensors. */
  readonly tensorBytes: number;
  /** Tensors whose scale was rounded to a half, and the largest relative change. */
  readonly roundedScales: { readonly tensors: number; readonly largestChange: number };
}

/**
 * Converts a GGUF file or a checkpoint's folder to a GGUF file, tensor by tensor and piece by piece. A few
 * megabytes of weights are in memory at once; of packed weights, one tensor.
 *
 * The file appears under its name when it is complete and on disk. After a failure nothing remains.
 *
 * @param source a model, like for loadModel
 * @throws BitNetError INVALID_ARGUMENT for unknown types, types that the weights do not fit, and an output
 *   equal to the input; FILE_WRITE if the file exists, or the host fails; the errors of opening the model;
 *   the signal's reason.
 *
 * @example
 * import { convert } from "bitnet-wasm";
 *
 * await convert("checkpoint-folder", { output: "model.gguf", type: "i2_s" });
 */
export async function convert(source: ModelSource, options: ConvertOptions): Promise<Conversion> {
  refuseUnknownOptions("convert", options, Object.keys(knownOptions));
  const { output, type = "i2_s", headType, exactScales = false, force = false, signal } = options;
  const format = requireType("type", type);
  const headFormat = headType === undefined ? undefined : requireType("headType", headType);
  throwIfAborted(signal);
  const found = await findSource(source);
  try {
    await requireFreePath(output, found.paths, force);
    const file = await found.open({ signal, storedTables: true });
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
    // One piece is computed while the one before is being written.
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
    // Converting takes a while. A file that appeared meanwhile must not be replaced.
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
      `Cannot convert to "${output}": it is "${input}", a file of the model that is converted; choose another name`,
      { details: { option: "output", value: output } },
    );
  }
  if (force) return;
  throw new BitNetError(
    "FILE_WRITE",
    `Cannot write "${output}": there is such a file already; force (--force) replaces it`,
    { details: { path: output } },
  );
}

/** Marks a promise that is awaited later as handled. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
