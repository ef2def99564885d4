import { BitNetError, throwIfAborted } from "../errors.js";
import type { Memories } from "../wasm/memory.js";
import type { Batch } from "./forward.js";
import type { OutputHead } from "./output-head.js";
import type { LogitsNeed } from "./screening.js";
import type { SessionPlan } from "./session-plan.js";

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
   * Evaluates tokens and shows the logits after each of the last `rows` of them, where they lie: [vocabSize], to be read
   * before `visit` returns. However many rows there are, memory holds those of one pass.
   *
   * @param visit is called with index 0 … rows − 1, in order. What it throws ends the evaluation.
   */
  evaluateRows(
    ids: readonly number[],
    rows: number,
    visit: (logits: Float32Array, index: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<void>;
}

export function createSession(parts: {
  readonly plan: SessionPlan;
  readonly vocabSize: number;
  readonly memories: Memories;
  readonly outputHead: OutputHead;
  /** Runs a pass on the team. */
  readonly run: (batch: Batch) => Promise<void>;
  readonly release: () => void;
}): InnerSession {
  const { plan, vocabSize, memories, outputHead } = parts;
  let position = 0;
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
    if (position + ids.length > plan.contextLength) {
      throw new BitNetError(
        "CONTEXT_FULL",
        `Cannot evaluate ${ids.length} tokens at position ${position}: the context holds ${plan.contextLength}; ` +
          "shorten the text, or use a longer context where the model has one",
        { details: { position, tokens: ids.length, contextLength: plan.contextLength } },
      );
    }
  }

  /** The first rows of the logits buffer, as they are now. */
  function logitsView(rows: number): Float32Array {
    const bytes = memories.view(plan.logits, rows * vocabSize * 4);
    return new Float32Array(bytes.buffer, bytes.byteOffset, rows * vocabSize);
  }

  /** Passes over the ids; a failure between passes leaves the position where it was. */
  async function passes(
    ids: readonly number[],
    logits: "last" | "screen" | { readonly rows: number },
    signal: AbortSignal | undefined,
    onRows: (firstRow: number, count: number) => void,
  ): Promise<void> {
    check(ids);
    if (logits !== "screen") await outputHead.makeWhole();
    const start = position;
    /** From here on, logits of every token are wanted, and a pass takes no more than there is room for. */
    const firstRow = typeof logits === "object" ? ids.length - logits.rows : ids.length;
    for (let begin = 0; begin < ids.length;) {
      throwIfAborted(signal);
      const inRows = begin >= firstRow;
      const end = inRows
        ? Math.min(begin + plan.logitsTokens, ids.length)
        : Math.min(begin + plan.batchTokens, firstRow);
      const tokens = ids.slice(begin, end);
      const last = typeof logits === "string" && end === ids.length ? logits : "none";
      await outputHead.embed(plan, tokens);
      await parts.run({ tokens, position: start + begin, logits: inRows ? "all" : last });
      if (inRows) onRows(begin - firstRow, tokens.length);
      begin = end;
    }
    throwIfAborted(signal);
    position = start + ids.length;
  }

  const session: InnerSession = {
    contextLength: plan.contextLength,
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
          await passes(wanted, "last", signal, () => {});
          return new Float32Array(logitsView(1));
        }
        check(wanted);
        const all = new Float32Array(wanted.length * vocabSize);
        await passes(wanted, { rows: wanted.length }, signal, (first, count) =>
          all.set(logitsView(count), first * vocabSize),
        );
        return all;
      });
    },
    evaluateInPlace(ids, need, signal): Promise<Float32Array> {
      return inTurn(async () => {
        const screen = outputHead.canScreen(need);
        await passes(ids, screen ? "screen" : "last", signal, () => {});
        return screen ? outputHead.screened(plan, need) : logitsView(1);
      });
    },
    evaluateRows(ids, rows, visit, signal): Promise<void> {
      return inTurn(() =>
        passes(ids, { rows }, signal, (first, count) => {
          const all = logitsView(count);
          for (let row = 0; row < count; row += 1) {
            visit(all.subarray(row * vocabSize, (row + 1) * vocabSize), first + row);
          }
        }),
      );
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
