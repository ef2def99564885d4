import type { Model } from "../model/model.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Location } from "../wasm/memory.js";
import type { Pass } from "./batch.js";
import { type Matmuls, rowGranule } from "./matmuls.js";
import type { PrepareInput } from "./prepare-input.js";
import { screenErrors } from "./screen-errors.js";
import { type Buffer, screenBlockCount, screenBlockRows, softmaxTotalsBytes } from "./work-plan.js";
import { share, type WorkerContext } from "./worker-context.js";

/** The operations after the last layer. */
export interface OutputOperations {
  /** x = norm(x) */
  normalize(x: Buffer, norm: PackedVector): void;
  /** logits[i] = W · norm(x[rows[i]]) */
  head(x: Buffer, rows: readonly number[], norm: PackedVector, matrix: PackedMatrix, logits: Buffer): void;
  /**
   * Upper bounds of logits by the head's screen in place of logits, and {lower, upper} of each block of them
   * (engine/screening).
   * @param cols a row's first logits that belong to tokens, for each of `rows`.
   */
  screen(x: Buffer, rows: readonly number[], norm: PackedVector, cols: readonly number[]): void;
  /** totals[i] = { max, Σ e^(x − max) } of the first `cols` of each of the first `rows` rows of logits. */
  softmaxTotals(logits: Buffer, rows: number, cols: number, totals: Location): void;
}

/** @param pass the pass under way. */
export function createOutputOperations(
  model: Model,
  worker: WorkerContext,
  pass: () => Pass,
  { prepare, matmuls }: { readonly prepare: PrepareInput; readonly matmuls: Matmuls },
): OutputOperations {
  return {
    normalize(x, norm): void {
      const [begin, end] = share(pass().tokens, worker);
      const stride = x.cols * 4;
      const at = x.address + begin * stride;
      const kernels = worker.kernels(x.region);
      kernels.rms_norm(at, x.cols, end - begin, stride, norm.address, model.epsilon, at, stride);
      worker.barrier();
    },
    head(x, rows, norm, matrix, logits): void {
      const input = prepare({ ...x, tokens: rows.length, picked: rows }, [norm], [matrix]);
      matmuls.multiplyRows(matrix, input, logits, "overwrite", share(matrix.rows, worker, rowGranule));
      worker.barrier();
    },
    screen(x, rows, norm, cols): void {
      const { logits, screenBlocks } = pass().plan;
      const { screen } = model;
      if (screen === undefined) throw new RangeError("a head without a screen");
      const { matrix, boundsAddress } = screen;
      const input = prepare({ ...x, tokens: rows.length, picked: rows }, [norm], [matrix]);
      const range = share(matrix.rows, worker, screenBlockRows);
      matmuls.multiplyRows(matrix, input, logits, "overwrite", range);
      const kernels = worker.kernels(matrix.region);
      const { buffer, byteOffset } = worker.bytes(matrix.region);
      for (let i = 0; i < rows.length; i += 1) {
        const hidden = new Float32Array(buffer, byteOffset + input.f32 + i * matrix.cols * 4, matrix.cols);
        const { fromLost, fromSize } = screenErrors(hidden);
        const at = logits.address + i * logits.cols * 4;
        const blocks = screenBlocks.address + i * screenBlockCount(logits.cols) * 8;
        const end = Math.min(range[1], cols[i] ?? 0);
        if (range[0] < end) kernels.screen_rows(at, boundsAddress, range[0], end, fromLost, fromSize, blocks);
      }
      worker.barrier();
    },
    softmaxTotals(logits, rows, cols, totals): void {
      const [begin, end] = share(rows, worker);
      const stride = logits.cols * 4;
      const from = logits.address + begin * stride;
      const to = totals.address + begin * softmaxTotalsBytes;
      worker.kernels(logits.region).softmax_totals(from, cols, end - begin, stride, to);
      worker.barrier();
    },
  };
}
