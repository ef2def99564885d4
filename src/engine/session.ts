import { BitNetError, throwIfAborted } from "../errors.js";
import type { CachePlan } from "../graph/kv-cache.js";
import type { Evaluator, LogitRows, SoftmaxTotals } from "./evaluator.js";
import type { LogitsNeed } from "./screening.js";

export interface EvaluateOptions {
  /** "last" (default): the logits after the last token, [vocabSize]. "all": after each of them, [ids.length × vocabSize]. */
  readonly logits?: "last" | "all" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A KV cache and a position in it. Calls on one session happen one after another; sessions of one model may be used at the
 * same time and take turns.
 */
export interface Session extends Disposable {
  /** Positions that it holds. */
  readonly contextLength: number;
  /** Tokens evaluated so far: the position of the next one. */
  readonly position: number;
  /**
   * Evaluates tokens at the present position and moves past them.
   *
   * @param ids token ids, at least one.
   * @returns logits, unnormalised: [vocabSize], or [ids.length × vocabSize] row by row.
   * @throws BitNetError CONTEXT_FULL if they do not fit, INVALID_ARGUMENT for ids that are none, DISPOSED; and rejects with
   *   `signal.reason`. The position is then what it was.
   */
  evaluate(ids: readonly number[], options?: EvaluateOptions): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Goes back to the first `length` tokens, to continue from there.
   * @throws BitNetError INVALID_ARGUMENT outside 0 … position, and while `evaluate` is under way.
   */
  truncate(length: number): void;
  /** Frees the cache; idempotent. A pass under way finishes first; calls that have not begun are rejected with DISPOSED. */
  dispose(): void;
}

/** What the library itself uses besides: logits where they lie, without a copy. */
export interface InnerSession extends Session {
  /** Most tokens that may be drafted at once. */
  readonly longestDraft: number;
  /**
   * As `evaluate` with "last", for callers who may need only the largest logits: those, and −Infinity for others, may be all
   * that is there. The result is overwritten by the next call.
   */
  evaluateInPlace(
    ids: readonly number[],
    need: LogitsNeed,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /**
   * As `evaluateInPlace`, and in the same pass also evaluates tokens that may come next. The position moves past the ids
   * alone: `keep` moves it past what turns out to be right, and the rest is forgotten with the next call.
   *
   * @param draft at most `longestDraft`, and none beyond the context.
   * @param needs which logits are needed after the ids, and after each token of the draft.
   * @returns one row for each need, gone with the next call.
   */
  evaluateDraft(
    ids: readonly number[],
    draft: readonly number[],
    needs: readonly LogitsNeed[],
    signal: AbortSignal | undefined,
  ): Promise<LogitRows>;
  /** Moves past the next token of the draft that was evaluated last. @throws BitNetError DISPOSED. */
  keep(): void;
  /**
   * Evaluates tokens and shows the logits after each of the last `rows` of them, where they lie: [cols], to be read before
   * `visit` returns, and what turns them into probabilities. However many rows there are, memory holds those of one pass.
   *
   * @param cols how many of a row's logits are of tokens, at most vocabSize: some heads are padded to a round number of rows.
   * @param visit is called with row 0 … rows − 1, in order. What it throws ends the evaluation.
   */
  visitLogits(
    ids: readonly number[],
    { rows, cols }: { readonly rows: number; readonly cols: number },
    visit: (logits: Float32Array, row: number, totals: SoftmaxTotals) => void,
    signal: AbortSignal | undefined,
  ): Promise<void>;
}

export function createSession(parts: {
  readonly cache: CachePlan;
  readonly vocabSize: number;
  readonly evaluator: Evaluator;
  readonly release: () => void;
}): InnerSession {
  const { cache, vocabSize, evaluator } = parts;
  const { batchTokens, logitRows } = evaluator;
  // The token before a draft goes with it.
  const longestDraft = Math.min(batchTokens, logitRows) - 1;
  let position = 0;
  /** Tokens past the position that are in the cache, too: what is left of a draft. */
  let drafted = 0;
  let disposed = false;
  /** The end of the queue of calls; never rejects. */
  let last: Promise<unknown> = Promise.resolve();
  /** Calls that have not ended. */
  let unfinished = 0;

  function inTurn<T>(call: () => Promise<T>): Promise<T> {
    unfinished += 1;
    const result = last.then(call).finally(() => {
      unfinished -= 1;
    });
    last = result.catch(() => undefined);
    return result;
  }

  function check(ids: readonly number[]): void {
    if (disposed) throw new BitNetError("DISPOSED", "The session has been disposed");
    if (ids.length === 0)
      throw new BitNetError("INVALID_ARGUMENT", "Cannot evaluate no tokens: give at least one");
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
        throw new BitNetError(
          "INVALID_ARGUMENT",
          `Invalid token id: ${id} (expected 0 to ${vocabSize - 1})`,
          {
            details: { id },
          },
        );
      }
    }
    if (position + ids.length > cache.contextLength) {
      throw new BitNetError(
        "CONTEXT_FULL",
        `Cannot evaluate ${ids.length} tokens at position ${position}: the context holds ${cache.contextLength}; ` +
          "shorten the text, or use a longer context where the model has one",
        { details: { position, tokens: ids.length, contextLength: cache.contextLength } },
      );
    }
  }

  /**
   * Passes over the ids, of as many tokens as there is room for and for whose logits; a failure between passes leaves the
   * position where it was.
   * @param needs what is wanted after each of the last ids.
   * @param onPass gets the rows of a pass, and which of all that are wanted they are.
   */
  async function passes(
    ids: readonly number[],
    needs: readonly LogitsNeed[],
    signal: AbortSignal | undefined,
    onPass: (rows: LogitRows, first: number, count: number) => Promise<void> | void,
    softmaxCols = 0,
  ): Promise<void> {
    check(ids);
    drafted = 0;
    const start = position;
    const firstNeed = ids.length - needs.length;
    for (let begin = 0, end = 0; begin < ids.length; begin = end) {
      end = Math.min(ids.length, begin + batchTokens, Math.max(begin, firstNeed) + logitRows);
      const first = Math.max(0, begin - firstNeed);
      const wanted = needs.slice(first, Math.max(0, end - firstNeed));
      const rows = await evaluator.evaluate(
        [{ cache, position: start + begin, tokens: ids.slice(begin, end), needs: wanted }],
        signal,
        softmaxCols,
      );
      await onPass(rows, first, wanted.length);
    }
    throwIfAborted(signal);
    position = start + ids.length;
  }

  /** The rows of the last of the passes. */
  async function lastRows(
    ids: readonly number[],
    needs: readonly LogitsNeed[],
    signal: AbortSignal | undefined,
  ): Promise<LogitRows> {
    let last: LogitRows | undefined;
    await passes(ids, needs, signal, (rows) => {
      last = rows;
    });
    if (last === undefined) throw new RangeError("no pass was run");
    return last;
  }

  const session: InnerSession = {
    contextLength: cache.contextLength,
    longestDraft,
    get position() {
      return position;
    },
    evaluate(ids, options = {}): Promise<Float32Array<ArrayBuffer>> {
      const { logits = "last", signal } = options;
      if (logits !== "last" && logits !== "all") {
        const given = String(logits);
        return Promise.reject(
          new BitNetError("INVALID_ARGUMENT", `Invalid option logits: "${given}" (expected "last" or "all")`),
        );
      }
      const wanted = Array.from(ids);
      return inTurn(async () => {
        if (logits === "last") {
          const rows = await lastRows(wanted, ["all"], signal);
          return new Float32Array((await rows.at(0)).values);
        }
        check(wanted);
        const all = new Float32Array(wanted.length * vocabSize);
        const needs = wanted.map(() => "all" as const);
        await passes(wanted, needs, signal, async (rows, first, count) => {
          for (let row = 0; row < count; row += 1)
            all.set((await rows.at(row)).values, (first + row) * vocabSize);
        });
        return all;
      });
    },
    visitLogits(ids, { rows, cols }, visit, signal): Promise<void> {
      const needs = new Array<LogitsNeed>(rows).fill("all");
      const show = async (given: LogitRows, first: number, count: number): Promise<void> => {
        for (let row = 0; row < count; row += 1) {
          visit((await given.at(row)).values.subarray(0, cols), first + row, given.softmaxTotals(row));
        }
      };
      return inTurn(() => passes(ids, needs, signal, show, cols));
    },
    evaluateInPlace(ids, need, signal): Promise<Float32Array> {
      return inTurn(async () => (await (await lastRows(ids, [need], signal)).at(0)).values);
    },
    evaluateDraft(ids, draft, needs, signal): Promise<LogitRows> {
      const all = [...ids, ...draft];
      if (draft.length > 0 && (draft.length > longestDraft || all.length > batchTokens))
        throw new RangeError(
          `a draft of ${draft.length} tokens after ${ids.length} takes more than one pass`,
        );
      return inTurn(async () => {
        const rows = await lastRows(all, needs, signal);
        position -= draft.length;
        drafted = draft.length;
        return rows;
      });
    },
    keep(): void {
      if (disposed) throw new BitNetError("DISPOSED", "The session has been disposed");
      if (drafted === 0) throw new RangeError("there is no token of a draft to keep");
      drafted -= 1;
      position += 1;
    },
    truncate(length): void {
      if (disposed) throw new BitNetError("DISPOSED", "The session has been disposed");
      // The evaluation would set the position when it ends, and the truncation would be lost.
      if (unfinished > 0) {
        throw new BitNetError(
          "INVALID_ARGUMENT",
          "Cannot truncate while tokens are being evaluated: await evaluate first",
        );
      }
      if (!Number.isInteger(length) || length < 0 || length > position) {
        throw new BitNetError(
          "INVALID_ARGUMENT",
          `Cannot truncate to ${length} tokens: expected 0 to ${position}`,
        );
      }
      position = length;
      drafted = 0;
    },
    dispose(): void {
      if (disposed) return;
      disposed = true;
      void last.then(parts.release);
    },
    [Symbol.dispose](): void {
      session.dispose();
    },
  };
  return session;
}
