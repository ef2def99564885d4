import { abortReason, BitNetError, throwIfAborted } from "../../errors.js";
import type { Engine } from "../../engine/engine.js";
import type { Continuation, Evaluator, LogitRows } from "../../engine/evaluator.js";
import { batchTokens } from "../../graph/work-plan.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import type { GeneratedPiece } from "../generated-piece.js";
import { createPieceQueue, type PieceQueue } from "./piece-queue.js";
import { promptTokens } from "../prompt.js";
import type { GenerateOptions, RecommendedSampling } from "../../options/generate-options.js";
import { type ResolvedGenerateOptions, resolveGenerateOptions } from "../resolve-options.js";
import { createSlots, type Slot } from "./slots.js";
import { commonPrefix, planStep, type StepPart, type Unfinished } from "./step-plan.js";
import { createTextWriter, type TextWriter } from "../text-writer.js";

export interface SchedulerOptions {
  /** Most texts that are written at the same time, 1 to 256. Default 4. Each takes a KV cache of its own once it is needed. */
  readonly parallel?: number | undefined;
  /** Most requests that wait for a place, from 0. Default 256. One more is refused with QUEUE_FULL. */
  readonly queueLimit?: number | undefined;
  /** Positions that each text may hold, prompt included. Default: the model's. */
  readonly contextLength?: number | undefined;
}

/** What a scheduler does and has done. */
export interface SchedulerStats {
  /** Requests that wait for a place. */
  readonly queued: number;
  /** Requests that are being worked on. */
  readonly active: number;
  /** Requests that have been given a place so far, and their tokens. */
  readonly requests: number;
  readonly promptTokens: number;
  /** Of the tokens of prompts, those that were cached already. */
  readonly cachedTokens: number;
  /** Requests of whose prompts more than the first token was cached. */
  readonly cacheHits: number;
  readonly generatedTokens: number;
  /** Passes over the model; between them, requests come and go. */
  readonly passes: number;
}

/**
 * Writes many texts at the same time: each pass over the weights serves all of them. Requests join and leave between passes,
 * and long prompts are taken in pieces, so that nobody waits for more than a pass. What a text becomes does not depend on who
 * else is there: it is the text that `model.generate` gives for the same prompt and options.
 */
export interface Scheduler extends AsyncDisposable {
  /**
   * As `model.generate`; the request is made when the first piece is asked for. The text is written on while the reader is
   * slow. `speculation` makes no difference.
   *
   * @param prompt a text, or token ids as they are.
   * @throws BitNetError QUEUE_FULL, WORKER_FAILED, and what `model.generate` throws; rejects with `signal.reason`.
   */
  generate(
    prompt: string | readonly number[],
    options?: GenerateOptions,
  ): AsyncGenerator<GeneratedPiece, void, void>;
  readonly stats: SchedulerStats;
  /** Frees the memory; requests under way are rejected with DISPOSED. Idempotent. */
  dispose(): Promise<void>;
}

/** A request. */
interface Sequence extends Unfinished {
  readonly writer: TextWriter;
  readonly pieces: PieceQueue;
  /** Positions it may fill. */
  readonly capacity: number;
  /** Undefined while it waits. */
  slot: Slot | undefined;
  cachedTokens: number;
  /** Nothing more is to be done for it; its place is free after the pass under way. */
  over: boolean;
  /** Forgets the signal. */
  detach: () => void;
}

/** A sequence that has a place. */
interface Placed extends Sequence {
  readonly slot: Slot;
}

/** Checked options. */
export interface ResolvedSchedulerOptions {
  /** The model's own defaults. */
  readonly sampling?: RecommendedSampling | undefined;
  readonly parallel: number;
  readonly queueLimit: number;
  readonly contextLength: number;
}

export function createScheduler(
  engine: Pick<Engine, "openEvaluator" | "openCache" | "copyCache">,
  tokenizer: Tokenizer,
  { parallel, queueLimit, contextLength, sampling }: ResolvedSchedulerOptions,
): Scheduler {
  const slots = createSlots(parallel, () => engine.openCache(contextLength));
  let evaluator: Evaluator | undefined;
  const waiting: Sequence[] = [];
  /** Those that have a place, by whose prompt it is the turn of. */
  let active: Placed[] = [];
  /** Why nothing more can be done. */
  let broken: { readonly error: unknown } | undefined;
  let working: Promise<void> | undefined;
  let disposing: Promise<void> | undefined;
  const totals = {
    requests: 0,
    promptTokens: 0,
    cachedTokens: 0,
    cacheHits: 0,
    generatedTokens: 0,
    passes: 0,
  };

  const running = (): number => active.filter((sequence) => !sequence.over).length;

  function enqueue(prompt: readonly number[], options: ResolvedGenerateOptions): Sequence {
    if (running() + waiting.length >= parallel + queueLimit) {
      throw new BitNetError(
        "QUEUE_FULL",
        `Cannot take another request: ${running()} are being worked on and ${waiting.length} wait, of ${queueLimit} that may; try again later`,
        { details: { active: running(), queued: waiting.length, queueLimit } },
      );
    }
    const { signal } = options;
    const writer = createTextWriter(tokenizer, prompt, options);
    const sequence: Sequence = {
      writer,
      history: writer.history,
      get position() {
        return sequence.slot?.tokens.length ?? 0;
      },
      pieces: createPieceQueue(),
      // The last token of a text is never evaluated, so one place fewer than prompt and text is enough.
      capacity: Math.min(contextLength, prompt.length + options.maxTokens - 1),
      slot: undefined,
      cachedTokens: 0,
      over: false,
      detach: () => undefined,
    };
    if (signal !== undefined) {
      const abort = (): void => {
        sequence.pieces.push(writer.abort());
        finish(sequence, { error: abortReason(signal) });
      };
      signal.addEventListener("abort", abort, { once: true });
      sequence.detach = () => signal.removeEventListener("abort", abort);
    }
    waiting.push(sequence);
    return sequence;
  }

  /** Ends a request: at once for whoever reads it, and for its place after the pass under way. */
  function finish(sequence: Sequence, failure?: { readonly error: unknown }): void {
    if (sequence.over) return;
    sequence.over = true;
    sequence.detach();
    sequence.pieces.end(failure);
    const at = waiting.indexOf(sequence);
    if (at >= 0) waiting.splice(at, 1);
  }

  function finishAll(failure: { readonly error: unknown }): void {
    for (const sequence of [...waiting, ...active]) finish(sequence, failure);
  }

  /** Frees the places of requests that are over. */
  function retire(): void {
    for (const sequence of active) if (sequence.over) slots.release(sequence.slot);
    active = active.filter((sequence) => !sequence.over);
  }

  /** Gives places to those who wait, first come, first served. */
  function admit(): void {
    for (let sequence = waiting[0]; sequence !== undefined; sequence = waiting[0]) {
      const { history } = sequence;
      let slot: Slot | undefined;
      try {
        const tokens = parallel + batchTokens;
        evaluator ??= engine.openEvaluator({ contextLength, tokens, logitRows: parallel });
        slot = slots.take(history);
      } catch (error) {
        finish(sequence, { error });
        continue;
      }
      if (slot === undefined) return;
      waiting.shift();
      active.push(Object.assign(sequence, { slot }));
      totals.requests += 1;
      totals.promptTokens += history.length;
      countCached(sequence, slot.tokens.length);
    }
  }

  function countCached(sequence: Sequence, tokens: number): void {
    const before = sequence.cachedTokens;
    sequence.cachedTokens += tokens;
    totals.cachedTokens += tokens;
    // The first token is BOS for everybody.
    if (before <= 1 && sequence.cachedTokens > 1) totals.cacheHits += 1;
  }

  /** Copies what a prompt would compute next from where it is cached. */
  async function copyPrefix(sequence: Placed): Promise<void> {
    const { slot, history } = sequence;
    const begin = sequence.position;
    let end = begin;
    let source: Slot | undefined;
    for (const other of slots.open) {
      if (other === slot || other.tokens.length <= end) continue;
      const shared = commonPrefix(history, other.tokens, history.length - 1);
      if (shared > end) [end, source] = [shared, other];
    }
    if (source === undefined) return;
    await engine.copyCache({ from: source.cache.plan.id, to: slot.cache.plan.id, begin, end });
    for (let at = begin; at < end; at += 1) slot.tokens.push(history[at] ?? 0);
    countCached(sequence, end - begin);
  }

  /** One pass over the model for everybody whose turn it is. */
  async function step(): Promise<void> {
    for (const sequence of active) if (!sequence.over) await copyPrefix(sequence);
    retire();
    if (evaluator === undefined || active.length === 0) return;
    const parts = planStep(active, evaluator.batchTokens);
    // Whoever has had a turn comes after those who have not.
    const served = new Set(parts.map(({ sequence }) => sequence));
    active = [...active.filter((sequence) => !served.has(sequence)), ...served];
    await pass(evaluator, parts);
  }

  async function pass(passes: Evaluator, parts: readonly StepPart<Placed>[]): Promise<void> {
    let rows: LogitRows;
    try {
      rows = await passes.evaluate(parts.map(continuation), undefined);
    } catch (error) {
      if (isFatal(error)) throw error;
      // Such as a file that cannot be read, for the logits that one of them wants: the others must not suffer from it.
      if (parts.length > 1) for (const part of parts) await pass(passes, [part]);
      else for (const { sequence } of parts) finish(sequence, { error });
      return;
    }
    totals.passes += 1;
    let row = 0;
    for (const { sequence, tokens } of parts) {
      const { position, history, slot } = sequence;
      slot.tokens.push(...history.slice(position, position + tokens));
      if (sequence.position < history.length) continue;
      await write(sequence, rows, row);
      row += 1;
    }
  }

  /** The next token of a text, whose logits are there. */
  async function write(sequence: Placed, rows: LogitRows, row: number): Promise<void> {
    const { writer, pieces, capacity } = sequence;
    if (sequence.over) return;
    try {
      const logits = await rows.at(row);
      // It may have been aborted while rows of the head were read.
      if (sequence.over) return;
      const { piece, then } = writer.write(logits, sequence.position === capacity);
      totals.generatedTokens += 1;
      pieces.push(piece);
      if (then === "ended") finish(sequence);
      if (then === "full") finish(sequence, { error: writer.contextFull(capacity) });
    } catch (error) {
      if (isFatal(error)) throw error;
      finish(sequence, { error });
    }
  }

  /** Works until nothing is left to do. */
  async function work(): Promise<void> {
    try {
      for (;;) {
        retire();
        admit();
        if (active.length === 0) return;
        await step();
      }
    } catch (error) {
      broken ??= { error };
      finishAll(broken);
      retire();
    } finally {
      working = undefined;
    }
  }

  return {
    async *generate(prompt, options): AsyncGenerator<GeneratedPiece, void, void> {
      if (broken !== undefined) throw broken.error;
      const resolved = resolveGenerateOptions(options, sampling);
      throwIfAborted(resolved.signal);
      const sequence = enqueue(promptTokens(tokenizer, prompt, contextLength), resolved);
      // Not before the requests that are made in the same moment are there.
      working ??= Promise.resolve().then(work);
      try {
        for (let piece = await sequence.pieces.take(); piece; piece = await sequence.pieces.take())
          yield piece;
      } finally {
        finish(sequence);
      }
    },
    get stats(): SchedulerStats {
      return { queued: waiting.length, active: running(), ...totals };
    },
    dispose(): Promise<void> {
      disposing ??= dispose();
      return disposing;
    },
    [Symbol.asyncDispose](): Promise<void> {
      disposing ??= dispose();
      return disposing;
    },
  };

  async function dispose(): Promise<void> {
    broken = { error: new BitNetError("DISPOSED", "The scheduler has been disposed") };
    finishAll(broken);
    // A pass that has begun is finished before its memory is given back.
    await working;
    evaluator?.dispose();
    slots.dispose();
  }
}

function continuation({ sequence, tokens }: StepPart<Placed>): Continuation {
  const { writer, history, position, slot } = sequence;
  const end = position + tokens;
  return {
    cache: slot.cache.plan,
    position,
    tokens: history.slice(position, end),
    needs: end === history.length ? writer.needs([]) : [],
  };
}

/** Errors after which the model is gone. */
function isFatal(error: unknown): boolean {
  return error instanceof BitNetError && (error.code === "WORKER_FAILED" || error.code === "DISPOSED");
}
