import type { Projection } from "../model/model.js";
import { layoutOf } from "../packing/layouts/index.js";
import type { Operations } from "./operations.js";
import { type Buffer, inputOf, type WorkBuffers } from "./work-plan.js";
import type { WorkerContext } from "./worker-context.js";

/** Number of zeros among the activations of a layer, and number of all of them. */
export interface LayerZeros {
  /** After the gate. */
  readonly gated: readonly [zeros: number, of: number];
  /** As `down` reads them, in int8. */
  readonly downInputs: readonly [zeros: number, of: number];
}

/** Measurements of one worker in one pass. */
export interface Profile {
  /** Milliseconds in each operation, including the wait for other workers. */
  readonly spent: Readonly<Record<string, number>>;
  /** One per layer, for models with a squared ReLU. Otherwise empty. */
  readonly zeros: readonly LayerZeros[];
}

/** Operations that measure themselves. */
export interface ProfiledOperations {
  readonly operations: Operations;
  /** The measurements since the last call. */
  take(): Profile;
}

/**
 * Wraps operations with a clock, which costs about 0.1 µs per operation. If `countZeros`, it also counts
 * zeros.
 */
export function profileOperations(
  operations: Operations,
  worker: WorkerContext,
  { countZeros }: { readonly countZeros: boolean },
): ProfiledOperations {
  const spent = new Map<string, number>();
  const add = (name: string, ms: number): void => void spent.set(name, (spent.get(name) ?? 0) + ms);
  const timed = timeOperations(operations, add);
  const zeros = countZeros ? countLayerZeros(timed, worker) : undefined;
  return {
    operations: zeros?.operations ?? timed,
    take(): Profile {
      const counted = zeros?.take();
      if (counted !== undefined) add("counting zeros, for this profile", counted.ms);
      const profile = { spent: Object.fromEntries(spent), zeros: counted?.layers ?? [] };
      spent.clear();
      return profile;
    },
  };
}

/** The same operations with a clock around each. */
function timeOperations(inner: Operations, add: (name: string, ms: number) => void): Operations {
  let work: WorkBuffers | undefined;
  function timed<A extends unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      const begin = performance.now();
      const result = call(...args);
      add(name, performance.now() - begin);
      return result;
    };
  }
  return {
    begin: inner.begin,
    buffers(plan, region): WorkBuffers {
      work = inner.buffers(plan, region);
      return work;
    },
    embed: timed("embedding", inner.embed),
    move: timed("moving between memories", inner.move),
    project: timed("query, key, value", inner.project),
    scale: timed("embedding", inner.scale),
    projectAndAdd(x, projection, out): void {
      timed(x === work?.gate ? "down" : "attention output", inner.projectAndAdd)(x, projection, out);
    },
    projectGated: timed("gate and up", inner.projectGated),
    normHeads: timed("norms of heads", inner.normHeads),
    rotateAndCache: timed("rotary embedding, cache", inner.rotateAndCache),
    attend: timed("attention", inner.attend),
    normalize: timed("last norm", inner.normalize),
    head: timed("output head", inner.head),
    screen: timed("output head", inner.screen),
    softmaxTotals: timed("probabilities", inner.softmaxTotals),
  };
}

/** Zero counts of each layer, in the order of the layers, and the time spent counting. */
interface CountedZeros {
  readonly layers: readonly LayerZeros[];
  readonly ms: number;
}

/** The same operations; worker 0 counts zeros behind them, and all workers wait for it. */
function countLayerZeros(
  inner: Operations,
  worker: WorkerContext,
): { readonly operations: Operations; take(): CountedZeros } {
  let layers: { gated: [number, number]; downInputs: [number, number] }[] = [];
  let ms = 0;
  let work: WorkBuffers | undefined;
  let tokens = 0;

  function count(values: Int8Array | Float32Array, into: [number, number] | undefined): void {
    let zeros = 0;
    for (const value of values) if (value === 0) zeros += 1;
    if (into === undefined) return;
    into[0] += zeros;
    into[1] += values.length;
  }

  function countDownInputs(x: Buffer, { matrix }: Projection): void {
    const { inputFormat, sparse } = layoutOf(matrix);
    if (work === undefined || inputFormat === undefined || sparse === undefined) return;
    const { input } = inputOf(work, tokens, worker.index);
    const { buffer, byteOffset } = worker.bytes(x.region);
    const values = byteOffset + (input.quantized[inputFormat.name]?.values ?? 0);
    const stride = inputFormat.valueBytes(matrix.cols);
    for (let t = 0; t < tokens; t += 1)
      count(new Int8Array(buffer, values + t * stride, matrix.cols), layers.at(-1)?.downInputs);
  }

  /** Other workers must not overwrite the values meanwhile. */
  function alone(call: () => void): void {
    const begin = performance.now();
    if (worker.index === 0) call();
    worker.barrier();
    ms += performance.now() - begin;
  }

  return {
    operations: {
      ...inner,
      begin(plan, segments): void {
        tokens = segments.reduce((sum, segment) => sum + segment.tokens, 0);
        inner.begin(plan, segments);
      },
      buffers(plan, region): WorkBuffers {
        work = inner.buffers(plan, region);
        return work;
      },
      projectGated(x, norm, gate, up): void {
        inner.projectGated(x, norm, gate, up);
        alone(() => {
          const { region, address, cols } = gate[1];
          const { buffer, byteOffset } = worker.bytes(region);
          layers.push({ gated: [0, 0], downInputs: [0, 0] });
          count(new Float32Array(buffer, byteOffset + address, tokens * cols), layers.at(-1)?.gated);
        });
      },
      projectAndAdd(x, projection, out): void {
        inner.projectAndAdd(x, projection, out);
        if (x === work?.gate) alone(() => countDownInputs(x, projection));
      },
    },
    take(): CountedZeros {
      const counted = { layers, ms };
      layers = [];
      ms = 0;
      return counted;
    },
  };
}
