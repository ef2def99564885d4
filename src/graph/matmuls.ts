import type { Projection } from "../model/model.js";
import { layoutOf } from "../packing/layouts/index.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Pass } from "./batch.js";
import type { InputRows, PreparedInput, PrepareInput } from "./prepare-input.js";
import { type Buffer, inputOf, workOf } from "./work-plan.js";
import { share, type WorkerContext } from "./worker-context.js";

/** Workers get rows in whole cache lines of f32 results, so that no two workers write one line. */
export const rowGranule = 16;

/** Whether a matmul replaces the numbers in its output or adds to them. */
export type OutputMode = "overwrite" | "add";

/** A projection and its output [tokens, rows]. */
export type ProjectionTo = readonly [Projection, Buffer];

/** Dense matmuls: a worker's share of each. */
export interface Matmuls {
  /** out (+)= W · input for rows [begin, end) of the matrix. */
  multiplyRows(
    matrix: PackedMatrix,
    input: PreparedInput,
    out: Buffer,
    mode: OutputMode,
    range: readonly [begin: number, end: number],
  ): void;
  /** out (+)= W · input + bias */
  multiply(projection: Projection, input: PreparedInput, out: Buffer, mode: OutputMode): void;
  /**
   * out = W · norm(x) + bias for projections that share an input; each may normalize it once more for itself.
   */
  multiplyAll(x: InputRows, norm: PackedVector, projections: readonly ProjectionTo[]): void;
  /** Address of the worker's own scratch for a matmul. */
  scratchOf(region: number): number;
}

/** @param pass the pass under way. */
export function createMatmuls(worker: WorkerContext, pass: () => Pass, prepare: PrepareInput): Matmuls {
  const matmuls: Matmuls = {
    multiplyRows(matrix, input, out, mode, [begin, end]): void {
      if (begin === end) return;
      layoutOf(matrix).multiply(worker, matrix, input, {
        address: out.address,
        stride: out.cols * 4,
        begin,
        end,
        accumulate: mode === "add",
        scratch: matmuls.scratchOf(matrix.region),
        lookup: workOf(pass().plan, matrix.region).lookup[worker.index],
      });
    },
    multiply({ matrix, bias }, input, out, mode): void {
      const range = share(matrix.rows, worker, rowGranule);
      matmuls.multiplyRows(matrix, input, out, mode, range);
      if (bias === undefined) return;
      const kernels = worker.kernels(matrix.region);
      kernels.add_rows(out.address, bias.address, input.tokens, out.cols * 4, 0, ...range);
    },
    multiplyAll(x, norm, projections): void {
      if (projections.every(([{ inputNorm }]) => inputNorm === undefined)) {
        const input = prepare(
          x,
          [norm],
          projections.map(([{ matrix }]) => matrix),
        );
        for (const [projection, out] of projections) matmuls.multiply(projection, input, out, "overwrite");
        return;
      }
      for (const [index, [projection, out]] of projections.entries()) {
        // The shared input must not be overwritten while another worker reads it.
        if (index > 0 && !inputOf(workOf(pass().plan, x.region), x.tokens, worker.index).alone)
          worker.barrier();
        const input = prepare(x, [norm, projection.inputNorm], [projection.matrix]);
        matmuls.multiply(projection, input, out, "overwrite");
      }
    },
    scratchOf: (region) => workOf(pass().plan, region).own[worker.index]?.scratch ?? 0,
  };
  return matmuls;
}
