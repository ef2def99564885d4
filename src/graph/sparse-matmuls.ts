import type { Model, Projection } from "../model/model.js";
import { type QuantizedRows, quantizedRows } from "../packing/input-formats.js";
import { layoutOf } from "../packing/layouts/index.js";
import type { SparseMatmuls } from "../packing/layouts/layout.js";
import type { PackedMatrix } from "../packing/packed.js";
import type { Pass } from "./batch.js";
import type { Matmuls } from "./matmuls.js";
import type { PreparedInput } from "./prepare-input.js";
import { createSparseChoice } from "./sparse-choice.js";
import { type Buffer, workOf } from "./work-plan.js";
import { share, type WorkerContext } from "./worker-context.js";

/**
 * Matmuls of a feed-forward block with a squared relu, whose zeros may be skipped. The bits are those of
 * dense matmuls.
 */
export interface FeedForwardMatmuls {
  /**
   * up = U · input for the worker's rows [begin, end), all of them or only those with a positive gate.
   * @returns true if only those with a positive gate.
   */
  multiplyGated(
    matrix: PackedMatrix,
    input: PreparedInput,
    to: { readonly gate: Buffer; readonly up: Buffer; readonly range: readonly [number, number] },
  ): boolean;
  /** out += W · input + bias, with a copy by columns only where the input is not zero, if that is faster. */
  multiplyAndAdd(projection: Projection, input: PreparedInput, out: Buffer): void;
}

/** @param pass the pass under way. */
export function createFeedForwardMatmuls(
  model: Model,
  worker: WorkerContext,
  pass: () => Pass,
  matmuls: Matmuls,
): FeedForwardMatmuls {
  const columnsOf = new Map(model.layers.map((layer) => [layer.down.matrix, layer.downColumns]));
  const [rowChoice, columnChoice] = [createSparseChoice(model.sparsity), createSparseChoice(model.sparsity)];
  const enabled = model.gate === "relu2" && model.sparsity !== "off";

  /**
   * The sparse matmuls of a matrix; undefined for more than one token, and where there are no zeros to skip.
   */
  function sparseOf(matrix: PackedMatrix, input: PreparedInput): SparseMatmuls | undefined {
    if (!enabled || input.tokens !== 1) return undefined;
    const { sparse } = layoutOf(matrix);
    return sparse?.takesListed(matrix) ? sparse : undefined;
  }

  function listAddress(region: number): number {
    return workOf(pass().plan, region).sparse[worker.index]?.address ?? 0;
  }

  return {
    multiplyGated(matrix, input, { gate, up, range }): boolean {
      const [begin, end] = range;
      const sparse = begin === end ? undefined : sparseOf(matrix, input);
      if (sparse === undefined) {
        matmuls.multiplyRows(matrix, input, up, "overwrite", range);
        return false;
      }
      const list = listAddress(matrix.region);
      const listed = worker.kernels256(matrix.region).list_positive(gate.address, begin, end, list);
      const prefersSparse = rowChoice.prefersSparse(listed, end - begin);
      const started = performance.now();
      if (prefersSparse) {
        sparse.multiplyListed(worker, matrix, {
          list,
          listed,
          input: inputRow(matrix, input),
          output: up.address,
          scratch: matmuls.scratchOf(matrix.region),
        });
        rowChoice.sparse(listed, performance.now() - started);
      } else {
        matmuls.multiplyRows(matrix, input, up, "overwrite", range);
        rowChoice.dense(end - begin, performance.now() - started);
      }
      return prefersSparse;
    },
    multiplyAndAdd(projection, input, out): void {
      const { matrix, bias } = projection;
      const columns = bias === undefined ? columnsOf.get(matrix) : undefined;
      const sparse = columns && sparseOf(matrix, input)?.columns;
      if (columns === undefined || sparse === undefined) {
        matmuls.multiply(projection, input, out, "add");
        return;
      }
      // The same rows either way: another worker may decide otherwise.
      const range = share(matrix.rows, worker, sparse.rowGranule);
      const [begin, end] = range;
      if (begin === end) return;
      const { cols } = matrix;
      const row = inputRow(matrix, input);
      const list = listAddress(matrix.region);
      const listed = worker.kernels256(matrix.region).list_nonzero(row.values, cols, list);
      const prefersSparse = columnChoice.prefersSparse(listed, cols);
      const started = performance.now();
      if (prefersSparse) {
        const scratch = list + cols * 4;
        const output = out.address;
        sparse.add(worker, matrix, { columns, begin, end, list, listed, input: row, output, scratch });
        columnChoice.sparse(listed, performance.now() - started);
      } else {
        matmuls.multiplyRows(matrix, input, out, "add", range);
        columnChoice.dense(cols, performance.now() - started);
      }
    },
  };
}

/** The one input row of a matmul that skips zeros. */
function inputRow(matrix: PackedMatrix, { quantized }: PreparedInput): QuantizedRows {
  const { inputFormat } = layoutOf(matrix);
  if (inputFormat === undefined) throw new RangeError(`no integers to skip zeros of in ${matrix.layout}`);
  return quantizedRows(quantized, inputFormat);
}
