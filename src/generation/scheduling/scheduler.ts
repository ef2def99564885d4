import { BitNetError, throwIfAborted } from "../../errors.js";
import type { Engine } from "../../engine/engine.js";
import type { Evaluator } from "../../engine/evaluator.js";
import type { GenerateOptions, RecommendedSampling } from "../../options/generate-options.js";
import type { Tokenizer } from "../../text/tokenizer.js";
import type { GeneratedPiece } from "../generated-piece.js";
import { promptTokens } from "../prompt.js";
import { type ResolvedGenerateOptions, resolveGenerateOptionsAsync } from "../resolve-options.js";
import { createTextWriter } from "../text-writer.js";
import { copyPrefix, runPass } from "./pass.js";
import { createSequence, type Failure, type RunningSequence, type Sequence } from "./sequence.js";
import { createSlots, type Slot } from "./slots.js";
import { planStep } from "./step-plan.js";

/** Options of `model.createScheduler`. */
export interface SchedulerOptions {
  /**
   * Maximum number of texts written at the same time, 1 to 256. Each needs a KV cache, allocated at first
   * use. Default: 4.
   */
  readonly parallel?: number | undefined;
  /** Maximum number of waiting requests, 0 to 2^20. One more is refused with QUEUE_FULL. Default: 256. */
  readonly queueLimit?: number | undefined;
  /** Positions of each text, prompt included, from 1. Default and maximum: the model's context length. */
  readonly contextLength?: number | undefined;
}

/** Metrics of a scheduler. */
export interface SchedulerStats {
  /** Requests that wait for a slot. */
  readonly queued: number;
  /** Requests with a slot. */
  readonly active: number;
  /** Requests that have had a slot so far. */
  readonly requests: number;
  /** Prompt tokens of those requests. */
  readonly promptTokens: number;
  /** Prompt tokens that were in a KV cache already. */
  readonly cachedTokens: number;
  /** Requests that found more than their first prompt token in a KV cache. */
  readonly cacheHits: number;
  /** Tokens generated so far. */
  readonly generatedTokens: number;
  /** Passes over the model. Requests join and leave between passes. */
  readonly passes: number;
}

/**
 * Writes many texts at the same time: each pass over the weights serves all of them. Requests join and leave
 * between passes. Long prompts are split over several passes, so no request waits for longer than a pass.
 * Other requests do not change a text: it is the text of `model.generate` for the same prompt and options.
 */
export interface Scheduler extends AsyncDisposable {
  /**
   * As `model.generate`. The request starts when the first piece is read. Generation does not wait for a slow
   * reader. `speculation` has no effect.
   *
   * @param prompt a text, or token ids. Ids are used as they are.
   * @throws BitNetError QUEUE_FULL, WORKER_FAILED, and the errors of `model.generate`; rejects with
   *   `signal.reason`.
   */
  generate(
    prompt: string | readonly number[],
    options?: GenerateOptions,
  ): AsyncGenerator<GeneratedPiece, void, void>;
  /** Counts since the scheduler was made. */
  readonly stats: SchedulerStats;
  /** Frees the memory. Current requests are rejected with DISPOSED. Idempotent. */
  dispose(): Promise<void>;
}

/** Checked options. */
export interface ResolvedSchedulerOptions {
  /** Defaults of the model's file. */
  readonly sampling?: RecommendedSampling | undefined;
  readonly parallel: number;
  readonly queueLimit: number;
  readonly contextLength: number;
}

export function createScheduler(
  engine: Pick<Engine, "batchTokens" | "openEvaluator" | "openCache" | "copyCache">,
  tokenizer: Tokenizer,
  { parallel, queueLimit, contextLength, sampling }: ResolvedSchedulerOptions,
): Scheduler {
  const slots = createSlots(parallel, () => engine.openCache(contextLength));
  let evaluator: Evaluator | undefined;
  const waiting: Sequence[] = [];
  /** Running requests, next prompt to serve first. */
  let active: RunningSequence[] = [];
  /** Set once the scheduler cannot go on. */
  let broken: Failure | undefined;
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

  const running = (): number => active.filter((sequence) => !sequence.isOver).length;

  function enqueue(prompt: readonly number[], options: ResolvedGenerateOptions): Sequence {
    if (broken !== undefined) throw broken.error;
    if (running() + waiting.length >= parallel + queueLimit) {
      throw queueFull({ active: running(), queued: waiting.length, queueLimit });
    }
    const writer = createTextWriter(tokenizer, prompt, options);
    // The last token of a text is never evaluated, so it needs no position.
    const capacity = Math.min(contextLength, prompt.length + options.maxTokens - 1);
    const sequence = createSequence(writer, capacity, options.signal, (finished) => {
      const at = waiting.indexOf(finished);
      if (at >= 0) waiting.splice(at, 1);
    });
    waiting.push(sequence);
    return sequence;
  }

  function finishAll(failure: Failure): void {
    for (const sequence of [...waiting, ...active]) sequence.finish(failure);
  }

  /** Releases the slots of finished requests. */
  function retire(): void {
    for (const sequence of active) if (sequence.isOver) slots.release(sequence.slot);
    active = active.filter((sequence) => !sequence.isOver);
  }

  /** Gives free slots to waiting requests, first come, first served. */
  function admit(): void {
    for (let sequence = waiting[0]; sequence !== undefined; sequence = waiting[0]) {
      const { history } = sequence;
      let slot: Slot | undefined;
      try {
        const tokens = parallel + engine.batchTokens;
        evaluator ??= engine.openEvaluator({ contextLength, tokens, logitRows: parallel });
        slot = slots.take(history);
      } catch (error) {
        sequence.finish({ error });
        continue;
      }
      if (slot === undefined) return;
      waiting.shift();
      active.push(sequence.start(slot));
      totals.requests += 1;
      totals.promptTokens += history.length;
      countCached(sequence, slot.tokens.length);
    }
  }

  function countCached(sequence: Sequence, tokens: number): void {
    const before = sequence.cachedTokens;
    sequence.cachedTokens += tokens;
    totals.cachedTokens += tokens;
    // The first token does not count: it is BOS in every prompt.
    if (before <= 1 && sequence.cachedTokens > 1) totals.cacheHits += 1;
  }

  /** One pass over the model, for as many requests as fit. */
  async function step(): Promise<void> {
    for (const sequence of active) {
      if (!sequence.isOver) countCached(sequence, await copyPrefix(engine, sequence, slots.open));
    }
    retire();
    if (evaluator === undefined || active.length === 0) return;
    const parts = planStep(active, evaluator.batchTokens);
    // Served requests go to the end of the line.
    const served = new Set(parts.map(({ sequence }) => sequence));
    active = [...active.filter((sequence) => !served.has(sequence)), ...served];
    await runPass(evaluator, parts, totals);
  }

  /** Runs passes until no request is left. */
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

  async function dispose(): Promise<void> {
    broken = { error: new BitNetError("DISPOSED", "The scheduler has been disposed") };
    finishAll(broken);
    // The memory is in use until the current pass is done.
    await working;
    evaluator?.dispose();
    slots.dispose();
  }

  const scheduler: Scheduler = {
    async *generate(prompt, options): AsyncGenerator<GeneratedPiece, void, void> {
      if (broken !== undefined) throw broken.error;
      const resolved = await resolveGenerateOptionsAsync(tokenizer, options, sampling);
      throwIfAborted(resolved.signal);
      const ids = await promptTokens(tokenizer, prompt, contextLength, resolved);
      const sequence = enqueue(ids, resolved);
      // Starts a moment later, so that requests of the same moment share the first pass.
      working ??= Promise.resolve().then(work);
      try {
        for (let piece = await sequence.pieces.take(); piece; piece = await sequence.pieces.take())
          yield piece;
      } finally {
        sequence.finish();
      }
    },
    get stats(): SchedulerStats {
      return { queued: waiting.length, active: running(), ...totals };
    },
    dispose(): Promise<void> {
      disposing ??= dispose();
      return disposing;
    },
    [Symbol.asyncDispose]: () => scheduler.dispose(),
  };
  return scheduler;
}

function queueFull(details: Readonly<Record<"active" | "queued" | "queueLimit", number>>): BitNetError {
  const { active, queued, queueLimit } = details;
  return new BitNetError(
    "QUEUE_FULL",
    `Cannot take another request: ${active} are running and ${queued} of at most ${queueLimit} wait; try again later`,
    { details },
  );
}
