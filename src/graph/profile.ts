import type { Operations, ZeroWatch } from "./operations.js";
import type { WorkBuffers } from "./work-plan.js";

/** How many values of a layer were zero, and of how many. */
export interface LayerZeros {
  readonly gated: readonly [zeros: number, of: number];
  readonly downInputs: readonly [zeros: number, of: number];
}

/** What one member measured in a pass. */
export interface Profile {
  /** Milliseconds in each operation, waiting for the others included. */
  readonly spent: Readonly<Record<string, number>>;
  /** By layer, of models with a squared relu. */
  readonly zeros: readonly LayerZeros[];
}

/** Operations of a graph, with the name of the matrix they multiply where they multiply one. */
export interface ProfiledOperations {
  readonly operations: Operations;
  /** What has been measured since the last call. */
  take(): Profile;
}

/** The same operations, with a clock around each: about a tenth of a microsecond per operation. */
export function profileOperations(inner: Operations, zeros?: ZeroCount): ProfiledOperations {
  let spent: Record<string, number> = {};
  let work: WorkBuffers | undefined;
  let counted = 0;
  const add = (name: string, ms: number): void => {
    spent[name] = (spent[name] ?? 0) + ms;
  };
  function timed<A extends unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      const counting = zeros?.ms ?? 0;
      const begin = performance.now();
      const result = call(...args);
      const end = performance.now();
      add(name, end - begin - ((zeros?.ms ?? 0) - counting));
      return result;
    };
  }
  return {
    operations: {
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
    },
    take(): Profile {
      if (zeros !== undefined) {
        add("counting zeros, for this profile", zeros.ms - counted);
        counted = zeros.ms;
      }
      const profile = { spent, zeros: zeros?.take() ?? [] };
      spent = {};
      return profile;
    },
  };
}

/** Counts the zeros of layers, which come one after another in a pass. */
export interface ZeroCount extends ZeroWatch {
  /** Milliseconds that counting has taken so far. */
  readonly ms: number;
  /** What has been counted since the last call. */
  take(): readonly LayerZeros[];
}

export function createZeroCount(): ZeroCount {
  let layers: { gated: [number, number]; downInputs: [number, number] }[] = [];
  let ms = 0;
  function count(values: Int8Array | Float32Array, into: [number, number] | undefined): void {
    const begin = performance.now();
    let zeros = 0;
    for (const value of values) if (value === 0) zeros += 1;
    if (into !== undefined) {
      into[0] += zeros;
      into[1] += values.length;
    }
    ms += performance.now() - begin;
  }
  return {
    get ms() {
      return ms;
    },
    gated(values): void {
      layers.push({ gated: [0, 0], downInputs: [0, 0] });
      count(values, layers.at(-1)?.gated);
    },
    downInputs(values): void {
      count(values, layers.at(-1)?.downInputs);
    },
    take(): readonly LayerZeros[] {
      const counted = layers;
      layers = [];
      return counted;
    },
  };
}
