import type { Gate } from "../architectures/description.js";
import type { Model, Projection } from "../model/model.js";
import { readRow } from "../packing/layouts/index.js";
import type { PackedMatrix, PackedVector } from "../packing/packed.js";
import type { Kernels } from "../wasm/kernels.js";
import { type AttentionOperations, createAttention } from "./attention.js";
import type { CachedSegment, Pass } from "./batch.js";
import { createMatmuls, type ProjectionTo, rowGranule } from "./matmuls.js";
import { createOutputOperations, type OutputOperations } from "./output-operations.js";
import { createPrepareInput, type InputRows } from "./prepare-input.js";
import { createFeedForwardMatmuls } from "./sparse-matmuls.js";
import { type Buffer, type WorkBuffers, workOf, type WorkPlan } from "./work-plan.js";
import { share, type WorkerContext } from "./worker-context.js";

/**
 * The operations of a graph for one worker. Each takes the worker's share of the work, and returns when its
 * result is visible to all workers.
 *
 * The split never changes a bit of a result. One worker computes a whole row of a matmul, a whole head of
 * attention or a whole token of a norm. The order of its arithmetic does not depend on the worker.
 */
export interface Operations extends AttentionOperations, OutputOperations {
  /** Begins a pass over these segments in these buffers. */
  begin(plan: WorkPlan, segments: readonly CachedSegment[]): void;
  buffers(plan: WorkPlan, region: number): WorkBuffers;
  /** out[t] = W[ids[t]] */
  embed(embedding: PackedMatrix, ids: readonly number[], out: Buffer): void;
  /** x = x · factor */
  scale(x: Buffer, factor: number): void;
  /** Copies rows to another region's buffer if necessary; returns the buffer that they are in. */
  move(from: Buffer, to: Buffer): Buffer;
  /** out = W · norm(x) for projections that share an input; each may normalize it once more for itself. */
  project(x: Buffer, norm: PackedVector, ...projections: readonly ProjectionTo[]): void;
  /** out += W · x */
  projectAndAdd(x: Buffer, projection: Projection, out: Buffer): void;
  /** gate = activation(G · norm(x)) · (U · norm(x)) */
  projectGated(x: Buffer, norm: PackedVector, gate: ProjectionTo, up: ProjectionTo): void;
}

const activations = {
  gelu: "gate_gelu",
  relu2: "gate_relu2",
  silu: "gate_silu",
} as const satisfies Record<Gate, keyof Kernels>;

/** @param model must not change: the operations keep its addresses. */
export function createOperations(model: Model, worker: WorkerContext): Operations {
  let current: Pass;
  const pass = (): Pass => current;
  const prepare = createPrepareInput(model.epsilon, worker, pass);
  const matmuls = createMatmuls(worker, pass, prepare);
  const feedForward = createFeedForwardMatmuls(model, worker, pass, matmuls);
  const activation = activations[model.gate];

  function rowsOf({ region, address, cols }: Buffer): InputRows {
    return { region, address, cols, tokens: current.tokens };
  }

  /** out += norm(x), whole rows: each worker takes some. */
  function addNormed(x: Buffer, norm: PackedVector, out: Buffer): void {
    const kernels = worker.kernels(out.region);
    const [begin, end] = share(current.tokens, worker);
    const stride = out.cols * 4;
    const [from, to] = [x.address + begin * stride, out.address + begin * stride];
    const count = end - begin;
    kernels.rms_norm(from, out.cols, count, stride, norm.address, model.epsilon, from, stride);
    kernels.add_rows(to, from, count, stride, stride, 0, out.cols);
  }

  /** gate = activation(gate) · up for the worker's columns. */
  function activate(
    kernels: Kernels,
    gate: Buffer,
    up: Buffer,
    [begin, end]: readonly [number, number],
  ): void {
    kernels[activation](gate.address, up.address, current.tokens, gate.cols * 4, begin, end);
  }

  return {
    begin(plan, segments): void {
      const tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
      current = { plan, segments, tokens };
    },
    buffers: workOf,
    embed(embedding, ids, out): void {
      const kernels = worker.kernels(embedding.region);
      const [begin, end] = share(ids.length, worker);
      for (let t = begin; t < end; t += 1)
        readRow(kernels, embedding, ids[t] ?? 0, out.address + t * out.cols * 4);
      worker.barrier();
    },
    scale(x, factor): void {
      const [begin, end] = share(current.tokens, worker);
      const stride = x.cols * 4;
      worker.kernels(x.region).scale_rows(x.address + begin * stride, end - begin, stride, x.cols, factor);
      worker.barrier();
    },
    move(from, to): Buffer {
      if (from.region === to.region) return to;
      if (worker.index === 0) {
        const bytes = current.tokens * from.cols * 4;
        const rows = worker.bytes(from.region).subarray(from.address, from.address + bytes);
        worker.bytes(to.region).set(rows, to.address);
      }
      worker.barrier();
      return to;
    },
    project(x, norm, ...projections): void {
      matmuls.multiplyAll(rowsOf(x), norm, projections);
      worker.barrier();
    },
    projectAndAdd(x, projection, out): void {
      const { matrix, inputNorm, outputNorm } = projection;
      const input = prepare(rowsOf(x), [inputNorm], [matrix]);
      if (outputNorm === undefined) {
        feedForward.multiplyAndAdd(projection, input, out);
      } else {
        const { projected } = workOf(current.plan, out.region);
        matmuls.multiply(projection, input, projected, "overwrite");
        worker.barrier();
        addNormed(projected, outputNorm, out);
      }
      worker.barrier();
    },
    projectGated(x, norm, gateTo, upTo): void {
      const [[gateLayer, gate], [upLayer, up]] = [gateTo, upTo];
      // The worker's rows of both matmuls are its own columns of the buffers: no barrier in between.
      const range = share(gateLayer.matrix.rows, worker, rowGranule);
      const kernels = worker.kernels(gate.region);
      if (isPlain(gateLayer) && isPlain(upLayer)) {
        const input = prepare(rowsOf(x), [norm], [gateLayer.matrix, upLayer.matrix]);
        matmuls.multiplyRows(gateLayer.matrix, input, gate, "overwrite", range);
        if (feedForward.multiplyGated(upLayer.matrix, input, { gate, up, range })) {
          kernels.gate_relu2_listed(gate.address, up.address, ...range);
        } else activate(kernels, gate, up, range);
      } else {
        matmuls.multiplyAll(rowsOf(x), norm, [gateTo, upTo]);
        activate(kernels, gate, up, range);
      }
      worker.barrier();
    },
    ...createAttention(model, worker, pass),
    ...createOutputOperations(model, worker, pass, { prepare, matmuls }),
  };
}

/** Whether a projection is its matrix alone. */
function isPlain({ inputNorm, bias }: Projection): boolean {
  return inputNorm === undefined && bias === undefined;
}
