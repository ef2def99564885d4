import { BitNetError } from "../errors.js";
import type { Pooling } from "../architectures/index.js";
import type { Cache, Engine } from "../engine/engine.js";

/** A text and its state between passes. */
interface Sequence {
  readonly ids: readonly number[];
  readonly cache: Cache;
  /** Number of evaluated tokens. */
  position: number;
  /** The pooled hidden states so far, [width]. */
  readonly pooled: Float64Array;
}

/**
 * Embeds texts: the hidden state of the last token, or the mean of all, after the last norm, scaled to length
 * 1.
 *
 * Short texts share passes over the weights, long texts take several. A text's vector does not depend on the
 * other texts.
 *
 * @param texts token ids of each: at least one, at most the model's context length.
 * @returns vectors of the model's width, in the order of the texts.
 * @throws BitNetError MODEL_INVALID if a vector is not finite or has the length 0; OUT_OF_MEMORY, DISPOSED;
 *   rejects with `signal.reason`.
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
  const contextLength = texts.reduce((max, ids) => Math.max(max, ids.length), 1);
  using evaluator = engine.openEvaluator({ contextLength, logitRows: 1 });
  const caches: Cache[] = [];
  let next = 0;
  let cut: Sequence | undefined;

  /** The text that the last pass did not finish, or else the next one. */
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
          vectors.push(unit(sequence.pooled, vectors.length));
          sequence.cache.dispose();
        }
      }
    }
    return vectors;
  } finally {
    for (const cache of caches) cache.dispose();
  }
}

/** Adds rows to the sum, or keeps the last row. */
function pool(pooled: Float64Array, rows: Float32Array, pooling: Pooling): void {
  const width = pooled.length;
  if (pooling === "last") pooled.set(rows.subarray(rows.length - width));
  else for (const [at, value] of rows.entries()) pooled[at % width] = (pooled[at % width] ?? 0) + value;
}

/**
 * The vector scaled to length 1, so a sum of rows gives the same result as their mean.
 * @param index of the text.
 */
function unit(vector: Float64Array, index: number): Float32Array<ArrayBuffer> {
  // A number that is not finite makes the length infinite or NaN. Squares of finite f32 cannot overflow f64.
  const length = Math.sqrt(vector.reduce((squares, value) => squares + value * value, 0));
  if (Number.isFinite(length) && length > 0) return Float32Array.from(vector, (value) => value / length);
  throw new BitNetError(
    "MODEL_INVALID",
    `Cannot embed text ${index}: the model gave a vector of length ${length}, which has no direction; its weights are damaged, or too large for float32`,
    { details: { index } },
  );
}
