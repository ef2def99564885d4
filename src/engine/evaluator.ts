import { throwIfAborted } from "../errors.js";
import type { Memories } from "../wasm/memory.js";
import type { CachePlan } from "../graph/kv-cache.js";
import type { Batch } from "../graph/forward.js";
import type { OutputHead } from "./output-head.js";
import type { Logits, LogitsNeed } from "./screening.js";
import { softmaxTotalsBytes, workOf, type WorkPlan } from "../graph/work-plan.js";

/** What a pass does for one sequence. */
export interface Continuation {
  readonly cache: CachePlan;
  /** Tokens that the cache holds before. */
  readonly position: number;
  /** At least one. */
  readonly tokens: readonly number[];
  /** Which logits are needed after each of the last tokens; as many as there are needs. */
  readonly needs: readonly LogitsNeed[];
}

/** The logits that a pass gave: one row for each need, those of the first sequence first. Good until the next pass. */
export interface LogitRows {
  /**
   * A row where it lies; those that were not needed may be −Infinity. Each row may be asked for once.
   * @throws BitNetError DISPOSED if the model is gone; FILE_READ where rows of the head are read from the file.
   */
  at(row: number): Promise<Logits>;
  /** The totals of a row's first logits, where the pass was told how many of them to sum. */
  softmaxTotals(row: number): SoftmaxTotals;
}

/** What turns a row of logits into probabilities: the largest of them, and Σ e^(x − largest). */
export interface SoftmaxTotals {
  /** −∞ where no logit is a number above it. */
  readonly largest: number;
  readonly total: number;
}

/**
 * Buffers to compute passes in, one pass at a time. Rows of a pass do not know of each other: every sequence gets the same
 * bits as alone (docs/NUMERICS.md).
 */
export interface Evaluator extends Disposable {
  /** Most tokens of one pass, of all sequences together. */
  readonly batchTokens: number;
  /** Most rows of logits of one pass. */
  readonly logitRows: number;
  /**
   * Runs one pass, from which each sequence has its tokens cached. The caller sees to it that ids are tokens and that they fit
   * caches and buffers.
   * @param softmaxCols how many of each row's logits are summed to probabilities, too, from the first.
   * @throws BitNetError as `Session.evaluate`; `signal.reason` before the pass has begun.
   */
  evaluate(
    continuations: readonly Continuation[],
    signal: AbortSignal | undefined,
    softmaxCols?: number,
  ): Promise<LogitRows>;
  /**
   * Runs one pass and gives hidden states after the last norm instead of logits.
   * @returns [tokens, width], those of the first sequence first; good until the next pass.
   */
  hidden(
    continuations: readonly Omit<Continuation, "needs">[],
    signal: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /** Frees the buffers; idempotent, and not while a pass is under way. */
  dispose(): void;
}

export function createEvaluator(parts: {
  readonly plan: WorkPlan;
  readonly memories: Memories;
  readonly outputHead: OutputHead;
  /** Runs a pass on the team. */
  readonly run: (batch: Batch) => Promise<void>;
  /** @throws BitNetError DISPOSED once the model is gone. */
  readonly alive: () => void;
  /** May be called again. */
  readonly release: () => void;
}): Evaluator {
  const { plan, memories, outputHead, alive } = parts;

  /** A row of the logits buffer, as it is now. */
  function view(row: number): Float32Array {
    const { region, address, cols } = plan.logits;
    const bytes = memories.view({ region, address: address + row * cols * 4 }, cols * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, cols);
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
      // Whoever wants all logits has the whole head read; from then on the screen would only cost more.
      const screen = needs.every((need) => outputHead.canScreen(need));
      if (!screen) await outputHead.makeWhole();
      const batch = createBatch(continuations, screen ? "screen" : "exact", softmaxCols);
      await outputHead.embed(plan, batch.tokens);
      await parts.run(batch);
      return {
        async at(row): Promise<Logits> {
          alive();
          const need = needs[row];
          if (need === undefined) throw new RangeError(`no row ${row} among ${needs.length}`);
          return screen ? outputHead.screened(plan, row, needs.length, need) : { values: view(row) };
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
      await parts.run(batch);
      alive();
      const { address, region, cols } = workOf(plan, plan.logits.region).x;
      const bytes = memories.view({ region, address }, batch.tokens.length * cols * 4);
      return new Float32Array(bytes.buffer, bytes.byteOffset, batch.tokens.length * cols);
    },
    dispose: parts.release,
    [Symbol.dispose]: parts.release,
  };
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
