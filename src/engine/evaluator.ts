import { BitNetError, throwIfAborted } from "../errors.js";
import type { Location, Memories } from "../wasm/memory.js";
import type { CachePlan } from "../graph/kv-cache.js";
import type { Batch } from "../graph/batch.js";
import type { OutputHead } from "./output-head.js";
import type { Logits, LogitsNeed } from "./screening.js";
import { softmaxTotalsBytes, workOf, type WorkPlan } from "../graph/work-plan.js";

/** One sequence's part of a pass. */
export interface Continuation {
  readonly cache: CachePlan;
  /** Tokens in the cache before the pass. */
  readonly position: number;
  /** Token ids, at least one. */
  readonly tokens: readonly number[];
  /** The logits needed after each of the last `needs.length` tokens. */
  readonly needs: readonly LogitsNeed[];
}

/** The logits of a pass: one row for each need, the first sequence's first. The next pass overwrites them. */
export interface LogitRows {
  /**
   * A row without a copy. Logits that were not needed may be −Infinity. May be called once for each row.
   * @throws BitNetError MODEL_INVALID for a logit that is infinite or NaN; DISPOSED after the model's
   *   disposal; FILE_READ if rows of the head cannot be read from the file.
   */
  at(row: number): Promise<Logits>;
  /** The totals of a row's first `softmaxCols` logits. */
  softmaxTotals(row: number): SoftmaxTotals;
}

/** The normalization of a row's probabilities: the largest logit, and Σ e^(x − largest). */
export interface SoftmaxTotals {
  /** −Infinity if no logit is a number above it. */
  readonly largest: number;
  readonly total: number;
}

/**
 * Buffers for passes, one pass at a time. Rows of a pass are independent: every sequence gets the same bits
 * as alone (docs/NUMERICS.md).
 */
export interface Evaluator extends Disposable {
  /** Maximum tokens of a pass, of all sequences together. */
  readonly batchTokens: number;
  /** Maximum rows of logits of a pass. */
  readonly logitRows: number;
  /**
   * Runs one pass, which also writes the tokens' keys and values into the caches. The caller ensures that ids
   * are tokens and fit caches and buffers.
   * @param softmaxCols number of each row's first logits to sum for `softmaxTotals`. Default: 0, for none.
   * @throws BitNetError as `Session.evaluate`; and `signal.reason` before the pass begins.
   */
  evaluate(
    continuations: readonly Continuation[],
    signal: AbortSignal | undefined,
    softmaxCols?: number,
  ): Promise<LogitRows>;
  /**
   * Runs one pass for the hidden states after the last norm instead of logits.
   * @returns [tokens, width], the first sequence's first; the next pass overwrites it.
   */
  hidden(
    continuations: readonly Omit<Continuation, "needs">[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /** Frees the buffers. No pass may be under way. Idempotent. */
  dispose(): void;
}

export function createEvaluator(parts: {
  readonly plan: WorkPlan;
  readonly memories: Memories;
  readonly outputHead: OutputHead;
  /** Index of the first f32 that is infinite or NaN; undefined if there is none. */
  readonly firstNotFinite: (location: Location, count: number) => number | undefined;
  /** Runs a pass on the team. The signal may end it early. */
  readonly run: (batch: Batch, signal: AbortSignal | undefined) => Promise<void>;
  /** @throws BitNetError DISPOSED after the model's disposal. */
  readonly alive: () => void;
  /** May be called again. */
  readonly release: () => void;
}): Evaluator {
  const { plan, memories, outputHead, alive } = parts;

  /** A row of the logits buffer, as it is now. */
  function view(row: number): Float32Array {
    const { region, address, cols } = plan.logits;
    const location = { region, address: address + row * cols * 4 };
    const tokenId = parts.firstNotFinite(location, cols);
    const bytes = memories.view(location, cols * 4);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, cols);
    if (tokenId !== undefined) throw notFinite(tokenId, values[tokenId]);
    return values;
  }

  async function screened(row: number, rows: number, need: LogitsNeed): Promise<Logits> {
    const logits = await outputHead.screened(plan, row, rows, need);
    const tokenId = logits.among?.find((id) => !Number.isFinite(logits.values[id]));
    if (tokenId !== undefined) throw notFinite(tokenId, logits.values[tokenId]);
    return logits;
  }

  function totals(row: number): SoftmaxTotals {
    const { region, address } = plan.softmaxTotals;
    const bytes = memories.view({ region, address: address + row * softmaxTotalsBytes }, softmaxTotalsBytes);
    const [largest = NaN, total = NaN] = new Float64Array(bytes.buffer, bytes.byteOffset, 2);
    return { largest, total };
  }

  return {
    batchTokens: plan.batchTokens,
    logitRows: plan.logits.rows,
    async evaluate(continuations, signal, softmaxCols = 0): Promise<LogitRows> {
      throwIfAborted(signal);
      const needs = continuations.flatMap((continuation) => continuation.needs);
      // A caller that needs all logits makes the head whole. From then on the screen would only cost more.
      const screen = needs.every((need) => outputHead.canScreen(need));
      if (!screen) await outputHead.makeWhole();
      const batch = createBatch(continuations, screen ? "screen" : "exact", softmaxCols);
      await outputHead.embed(plan, batch.tokens);
      await parts.run(batch, signal);
      return {
        async at(row): Promise<Logits> {
          alive();
          const need = needs[row];
          if (need === undefined) throw new RangeError(`no row ${row} among ${needs.length}`);
          return screen ? screened(row, needs.length, need) : { values: view(row) };
        },
        softmaxTotals: totals,
      };
    },
    async hidden(continuations, signal): Promise<Float32Array> {
      throwIfAborted(signal);
      const batch = createBatch(
        continuations.map((continuation) => ({ ...continuation, needs: [] })),
        "hidden",
      );
      await outputHead.embed(plan, batch.tokens);
      await parts.run(batch, signal);
      alive();
      const { address, region, cols } = workOf(plan, plan.logits.region).x;
      const bytes = memories.view({ region, address }, batch.tokens.length * cols * 4);
      return new Float32Array(bytes.buffer, bytes.byteOffset, batch.tokens.length * cols);
    },
    dispose: parts.release,
    [Symbol.dispose]: parts.release,
  };
}

/** Finite weights can still overflow. All logits that a caller gets are checked here. */
function notFinite(tokenId: number, logit: number | undefined): BitNetError {
  return new BitNetError(
    "MODEL_INVALID",
    `The model gave no finite logit for token ${tokenId}: it is ${logit}; its weights are damaged, or too large for float32`,
    { details: { tokenId } },
  );
}

function createBatch(continuations: readonly Continuation[], head: Batch["head"], softmaxCols = 0): Batch {
  const logitRows: number[] = [];
  const screenCols: number[] = [];
  let end = 0;
  for (const { tokens, needs } of continuations) {
    end += tokens.length;
    for (let row = end - needs.length; row < end; row += 1) logitRows.push(row);
    for (const need of needs) screenCols.push((need === "all" ? undefined : need.below) ?? Infinity);
  }
  return {
    tokens: continuations.flatMap(({ tokens }) => tokens),
    segments: continuations.map(({ cache, position, tokens }) => ({
      cache: cache.id,
      position,
      tokens: tokens.length,
    })),
    logitRows,
    head,
    screenCols,
    softmaxCols,
  };
}
