import {
  type FloatRows,
  type InputFormat,
  type QuantizedInput,
  quantizedRows,
} from "../packing/input-formats.js";
import { layoutOf } from "../packing/layouts/index.js";
import type { MatmulInput } from "../packing/layouts/layout.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Kernels } from "../wasm/kernels.js";
import type { Pass } from "./batch.js";
import { type Buffer, inputOf, workOf } from "./work-plan.js";
import { share, type WorkerContext } from "./worker-context.js";

/** Rows of a buffer that go into a projection. */
export interface InputRows extends Buffer {
  /** Number of rows. */
  readonly tokens: number;
  /** Indexes of the rows. Default: the first `tokens`. */
  readonly picked?: readonly number[];
}

/** The normed and quantized input of a projection, visible to this worker. */
export interface PreparedInput extends MatmulInput {
  readonly region: number;
  readonly cols: number;
}

/**
 * Normalizes rows by one norm after another, and quantizes them for some matrices. For few tokens every
 * worker does all of it for itself, which costs a microsecond and saves a barrier. For many tokens the
 * workers share the rows and wait.
 */
export type PrepareInput = (
  x: InputRows,
  norms: readonly (PackedVector | undefined)[],
  matrices: readonly PackedMatrix[],
) => PreparedInput;

/** @param pass the pass under way. */
export function createPrepareInput(epsilon: number, worker: WorkerContext, pass: () => Pass): PrepareInput {
  return (x, norms, matrices) => {
    const work = workOf(pass().plan, x.region);
    const { input, alone } = inputOf(work, x.tokens, worker.index);
    const kernels = worker.kernels(x.region);
    const [begin, end] = alone ? [0, x.tokens] : share(x.tokens, worker);
    const stride = x.cols * 4;
    const count = end - begin;
    let from = x.address;
    let { picked } = x;
    for (const norm of norms) {
      if (norm === undefined) continue;
      const normalize = (row: number, rows: number, to: number): void =>
        // prettier-ignore
        kernels.rms_norm(
          from + row * stride, x.cols, rows, stride, norm.address, epsilon, input.normed + to * stride, stride,
        );
      if (picked !== undefined) for (let i = begin; i < end; i += 1) normalize(picked[i] ?? 0, 1, i);
      else if (count > 0) normalize(begin, count, begin);
      from = input.normed;
      picked = undefined;
    }
    if (count > 0) {
      const rows = { address: from + begin * stride, tokens: count, cols: x.cols };
      quantize(kernels, rows, { input: input.quantized, begin, matrices });
    }
    if (!alone) worker.barrier();
    return { region: x.region, tokens: x.tokens, cols: x.cols, f32: from, quantized: input.quantized };
  };
}

/** Quantizes rows into rows `begin` … of the input, once in each format that a matrix reads. */
function quantize(
  kernels: Kernels,
  rows: FloatRows,
  to: {
    readonly input: QuantizedInput;
    readonly begin: number;
    readonly matrices: readonly PackedMatrix[];
  },
): void {
  const { input, begin, matrices } = to;
  for (let i = 0; i < matrices.length; i += 1) {
    const format = formatAt(matrices, i);
    if (format === undefined || isEarlier(matrices, i)) continue;
    const { values, records } = quantizedRows(input, format);
    format.quantize(kernels, rows, {
      values: values + begin * format.valueBytes(rows.cols),
      records: records + begin * format.recordBytes(rows.cols),
    });
  }
}

function formatAt(matrices: readonly PackedMatrix[], index: number): InputFormat | undefined {
  const matrix = matrices[index];
  return matrix && layoutOf(matrix).inputFormat;
}

/** Whether a matrix before this one has the same input format. */
function isEarlier(matrices: readonly PackedMatrix[], index: number): boolean {
  for (let i = 0; i < index; i += 1) if (formatAt(matrices, i) === formatAt(matrices, index)) return true;
  return false;
}
