import { BitNetError, throwIfAborted } from "../errors.js";
import { invalidOption } from "../options/checks.js";
import { refuseUnknownOptions } from "../options/known-options.js";
import type { CachePlan } from "../graph/kv-cache.js";
import { createCallQueue } from "./call-queue.js";
import type { Evaluator, LogitRows, SoftmaxTotals } from "./evaluator.js";
import type { LogitsNeed } from "./screening.js";

/** Options of `session.evaluate`. */
export interface EvaluateOptions {
  /**
   * "last": the logits after the last token, [vocabSize]. "all": after each token, [ids.length × vocabSize].
   * Default: "last".
   */
  readonly logits?: "last" | "all" | undefined;
  /** Stops the evaluation between two passes. */
  readonly signal?: AbortSignal | undefined;
}

const evaluateOptions: Record<keyof EvaluateOptions, true> = { logits: true, signal: true };

/**
 * A KV cache and a position in it. Calls on one session run one after another. Sessions of one model may be
 * used at the same time; their passes take turns.
 */
export interface Session extends Disposable {
  /** Maximum number of tokens. */
  readonly contextLength: number;
  /** Number of tokens evaluated so far, which is the position of the next token. */
  readonly position: number;
  /**
   * Evaluates tokens from the current position on, and moves the position past them. After a failure the
   * position is unchanged.
   *
   * @param ids token ids, at least one.
   * @returns unnormalised logits: [vocabSize], or [ids.length × vocabSize] row by row.
   * @example
   * const logits = await session.evaluate(model.tokenize("The king and the"));
   * @throws BitNetError CONTEXT_FULL if the tokens do not fit; MODEL_INVALID for a logit that is infinite or
   *   NaN; INVALID_ARGUMENT, WORKER_FAILED, DISPOSED. Rejects with `signal.reason`.
   */
  evaluate(ids: readonly number[], options?: EvaluateOptions): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Keeps the first `length` tokens and drops the rest, to continue from there.
   *
   * @param length 0 to `position`.
   * @throws BitNetError INVALID_ARGUMENT also while `evaluate` runs; DISPOSED.
   */
  truncate(length: number): void;
  /** Frees the KV cache. A running pass finishes first; queued calls reject with DISPOSED. Idempotent. */
  dispose(): void;
}

/** A session as the library itself uses it: with logits that are not copied. */
export interface InnerSession extends Session {
  /** Maximum tokens of a draft. */
  readonly maxDraftTokens: number;
  /**
   * As `evaluate` with "last", for callers that may need only the largest logits: all others may be
   * −Infinity. The next call overwrites the result.
   */
  evaluateInPlace(
    ids: readonly number[],
    need: LogitsNeed,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array>;
  /**
   * As `evaluateInPlace`, and in the same pass also evaluates a draft of the next tokens. The position moves
   * past the ids alone. `keep` moves it past the draft's correct tokens; the next call forgets the others.
   *
   * @param draft at most `maxDraftTokens` tokens within the context.
   * @param needs the logits needed after the ids, and after each token of the draft.
   * @returns one row for each need; the next call overwrites them.
   */
  evaluateDraft(
    ids: readonly number[],
    draft: readonly number[],
    needs: readonly LogitsNeed[],
    signal: AbortSignal | undefined,
  ): Promise<LogitRows>;
  /** Moves past the next token of the last draft. @throws BitNetError DISPOSED. */
  keep(): void;
  /**
   * Evaluates tokens and visits the logits after each of the last `rows` tokens, without a copy. Memory holds
   * the rows of one pass only.
   *
   * @param options.cols logits of a row that belong to tokens, at most vocabSize: some heads are padded.
   * @param visit called for row 0 … rows − 1 in order, with logits [cols] that are valid until it returns. An
   *   error that it throws ends the evaluation.
   */
  visitLogits(
    ids: readonly number[],
    options: { readonly rows: number; readonly cols: number },
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
  // A pass takes the token before a draft as well.
  const maxDraftTokens = Math.min(batchTokens, logitRows) - 1;
  let position = 0;
  /** Tokens of a draft that are in the cache past the position. */
  let drafted = 0;
  let disposed = false;
  const queue = createCallQueue();

  function requireAlive(): void {
    if (disposed) throw new BitNetError("DISPOSED", "The session has been disposed");
  }

  function check(ids: readonly number[]): void {
    requireAlive();
    requireTokens(ids, vocabSize);
    requireRoom(ids.length, position, cache.contextLength);
  }

  /**
   * Evaluates the ids in passes of as many tokens as the evaluator takes. A failure between passes leaves the
   * position where it was.
   * @param needs the logits needed after each of the last `needs.length` ids.
   * @param onPass called with a pass's rows for needs `first` … `first + count − 1`.
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

  /** Evaluates the ids; returns the rows of the last pass. */
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
    maxDraftTokens,
    get position() {
      return position;
    },
    async evaluate(ids, options = {}): Promise<Float32Array<ArrayBuffer>> {
      refuseUnknownOptions("evaluate", options, Object.keys(evaluateOptions));
      const { logits = "last", signal } = options;
      if (logits !== "last" && logits !== "all") throw invalidOption("logits", logits, '"last" or "all"');
      const wanted = Array.from(ids);
      return queue.run(async () => {
        check(wanted);
        const needs = Array.from({ length: logits === "last" ? 1 : wanted.length }, () => "all" as const);
        const all = new Float32Array(needs.length * vocabSize);
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
      return queue.run(() => passes(ids, needs, signal, show, cols));
    },
    evaluateInPlace(ids, need, signal): Promise<Float32Array> {
      return queue.run(async () => (await (await lastRows(ids, [need], signal)).at(0)).values);
    },
    evaluateDraft(ids, draft, needs, signal): Promise<LogitRows> {
      const all = [...ids, ...draft];
      if (draft.length > maxDraftTokens || (draft.length > 0 && all.length > batchTokens))
        throw new RangeError(`a draft of ${draft.length} tokens after ${ids.length} needs several passes`);
      return queue.run(async () => {
        const rows = await lastRows(all, needs, signal);
        position -= draft.length;
        drafted = draft.length;
        return rows;
      });
    },
    keep(): void {
      requireAlive();
      if (drafted === 0) throw new RangeError("there is no token of a draft to keep");
      drafted -= 1;
      position += 1;
    },
    truncate(length): void {
      requireAlive();
      requireIdle(queue.unfinished);
      requireLength(length, position);
      position = length;
      drafted = 0;
    },
    dispose(): void {
      if (disposed) return;
      disposed = true;
      void queue.idle().then(parts.release);
    },
    [Symbol.dispose](): void {
      session.dispose();
    },
  };
  return session;
}

/** @throws BitNetError INVALID_ARGUMENT unless there is at least one id, and all are tokens. */
function requireTokens(ids: readonly number[], vocabSize: number): void {
  if (ids.length === 0)
    throw new BitNetError("INVALID_ARGUMENT", "Cannot evaluate zero tokens: give at least one");
  const id = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (id === undefined) return;
  throw new BitNetError("INVALID_ARGUMENT", `Invalid token id: ${id} (expected 0 to ${vocabSize - 1})`, {
    details: { id },
  });
}

/** @throws BitNetError CONTEXT_FULL if the tokens do not fit behind `position`. */
function requireRoom(tokens: number, position: number, contextLength: number): void {
  if (position + tokens <= contextLength) return;
  throw new BitNetError(
    "CONTEXT_FULL",
    `Cannot evaluate ${tokens} tokens at position ${position}: the context holds ${contextLength}; ` +
      "shorten the text, or use a longer context if the model has one",
    { details: { position, tokens, contextLength } },
  );
}

/**
 * A call of `evaluate` sets the position when it ends, and would undo a truncation.
 * @throws BitNetError INVALID_ARGUMENT unless all calls have ended.
 */
function requireIdle(unfinished: number): void {
  if (unfinished === 0) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Cannot truncate while tokens are being evaluated: await evaluate first",
  );
}

/** @throws BitNetError INVALID_ARGUMENT unless `length` is a whole number from 0 to `position`. */
function requireLength(length: number, position: number): void {
  if (Number.isInteger(length) && length >= 0 && length <= position) return;
  throw new BitNetError("INVALID_ARGUMENT", `Cannot truncate to ${length} tokens: expected 0 to ${position}`);
}
