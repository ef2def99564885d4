import type { Operations } from "./operations.js";
import type { WorkBuffers } from "./work-plan.js";

/** Milliseconds that one member spent in each operation, waiting for the others included. */
export type Profile = Readonly<Record<string, number>>;

/** Operations of a graph, with the name of the matrix they multiply where they multiply one. */
export interface ProfiledOperations {
  readonly operations: Operations;
  /** What has been measured since the last call. */
  take(): Profile;
}

/** The same operations, with a clock around each: about a tenth of a microsecond per operation. */
export function profileOperations(inner: Operations): ProfiledOperations {
  let spent: Record<string, number> = {};
  let work: WorkBuffers | undefined;
  function timed<A extends unknown[], R>(name: string, call: (...args: A) => R): (...args: A) => R {
    return (...args) => {
      const begin = performance.now();
      const result = call(...args);
      spent[name] = (spent[name] ?? 0) + performance.now() - begin;
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
      const profile = spent;
      spent = {};
      return profile;
    },
  };
}
