import type { Pooling } from "../architectures/index.js";
import type { Cache, Engine } from "../engine/engine.js";

/** A text on its way through the model. */
interface Sequence {
  readonly ids: readonly number[];
  readonly cache: Cache;
  /** Tokens that have been evaluated. */
  position: number;
  /** Hidden states so far, as they are pooled, [width]. */
  readonly pooled: Float64Array;
}

/**
 * Embeds texts: hidden states after the last norm, of the last token or the mean of them all, brought to length 1.
 *
 * Short texts share passes over the weights, long ones take several; a text's vector does not depend on the texts beside it.
 *
 * @param texts token ids of each: at least one, and no more than the model's context holds.
 * @returns vectors of the model's width, in the order of the texts.
 * @throws BitNetError OUT_OF_MEMORY, DISPOSED; rejects with `signal.reason`.
 */
export async function embed(
  engine: Engine,
  texts: readonly (readonly number[])[],
  pooling: Pooling,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>[]> {
  const vectors: Float32Array<ArrayBuffer>[] = [];
  if (texts.length === 0) return vectors;
  const { width } = engine.model.sizes;
  const contextLength = texts.reduce((most, ids) => Math.max(most, ids.length), 1);
  using evaluator = engine.openEvaluator({ contextLength, logitRows: 1 });
  const caches: Cache[] = [];
  let next = 0;
  let cut: Sequence | undefined;

  /** The text that the last pass cut, or the next one. */
  function take(): Sequence | undefined {
    const ids = texts[next];
    if (cut !== undefined || ids === undefined) return cut;
    next += 1;
    const cache = engine.openCache(ids.length);
    caches.push(cache);
    return { ids, cache, position: 0, pooled: new Float64Array(width) };
  }

  try {
    while (vectors.length < texts.length) {
      const pass: { readonly sequence: Sequence; readonly tokens: readonly number[] }[] = [];
      for (let room = evaluator.batchTokens; room > 0;) {
        const sequence = take();
        if (sequence === undefined) break;
        const tokens = sequence.ids.slice(sequence.position, sequence.position + room);
        pass.push({ sequence, tokens });
        room -= tokens.length;
        cut = undefined;
      }
      const hidden = await evaluator.hidden(
        pass.map(({ sequence: { cache, position }, tokens }) => ({ cache: cache.plan, position, tokens })),
        signal,
      );
      let row = 0;
      for (const { sequence, tokens } of pass) {
        const end = row + tokens.length;
        pool(sequence.pooled, hidden.subarray(row * width, end * width), pooling);
        row = end;
        sequence.position += tokens.length;
        if (sequence.position < sequence.ids.length) cut = sequence;
        else {
          vectors.push(unit(sequence.pooled));
          sequence.cache.dispose();
        }
      }
    }
    return vectors;
  } finally {
    for (const cache of caches) cache.dispose();
  }
}

/** Adds rows to a sum of all rows, or keeps the last. */
function pool(pooled: Float64Array, rows: Float32Array, pooling: Pooling): void {
  const width = pooled.length;
  if (pooling === "last") pooled.set(rows.subarray(rows.length - width));
  else for (const [at, value] of rows.entries()) pooled[at % width] = (pooled[at % width] ?? 0) + value;
}

/** A vector's direction; what a mean is divided by makes no difference to it. */
function unit(vector: Float64Array): Float32Array<ArrayBuffer> {
  const length = Math.sqrt(vector.reduce((squares, value) => squares + value * value, 0));
  return Float32Array.from(vector, (value) => (length === 0 ? 0 : value / length));
}
