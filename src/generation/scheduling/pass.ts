import { BitNetError } from "../../errors.js";
import type { Engine } from "../../engine/engine.js";
import type { Continuation, Evaluator, LogitRows } from "../../engine/evaluator.js";
import type { RunningSequence } from "./sequence.js";
import type { Slot } from "./slots.js";
import { commonPrefix, type StepPart } from "./step-plan.js";

/** Counts of a pass, to add to the scheduler's metrics. */
export interface PassCounts {
  passes: number;
  generatedTokens: number;
}

/**
 * Copies the KV cache of a prompt's next tokens from another slot, if one holds them.
 *
 * @returns the number of copied tokens.
 */
export async function copyPrefix(
  engine: Pick<Engine, "copyCache">,
  { slot, history, position: begin }: RunningSequence,
  slots: readonly Slot[],
): Promise<number> {
  let end = begin;
  let source: Slot | undefined;
  for (const other of slots) {
    if (other === slot || other.tokens.length <= end) continue;
    const shared = commonPrefix(history, other.tokens, history.length - 1);
    if (shared > end) [end, source] = [shared, other];
  }
  if (source === undefined) return 0;
  await engine.copyCache({ from: source.cache.plan.id, to: slot.cache.plan.id, begin, end });
  for (let at = begin; at < end; at += 1) slot.tokens.push(history[at] ?? 0);
  return end - begin;
}

/**
 * Runs one pass over the model, and writes the next token of each sequence whose history it completes. An
 * error of one sequence ends that sequence only.
 *
 * @throws any error after which the model is unusable.
 */
export async function runPass(
  evaluator: Evaluator,
  parts: readonly StepPart<RunningSequence>[],
  counts: PassCounts,
): Promise<void> {
  let rows: LogitRows;
  try {
    rows = await evaluator.evaluate(parts.map(continuation), undefined);
  } catch (error) {
    if (isFatal(error)) throw error;
    // For example, the file is unreadable for the logits of one sequence. Separate passes find it.
    if (parts.length > 1) for (const part of parts) await runPass(evaluator, [part], counts);
    else for (const { sequence } of parts) sequence.finish({ error });
    return;
  }
  counts.passes += 1;
  let row = 0;
  for (const { sequence, tokens } of parts) {
    const { position, history, slot } = sequence;
    slot.tokens.push(...history.slice(position, position + tokens));
    if (sequence.position < history.length) continue;
    await write(sequence, rows, row, counts);
    row += 1;
  }
}

/** Writes the next token of a sequence from its row of logits. */
async function write(
  sequence: RunningSequence,
  rows: LogitRows,
  row: number,
  counts: PassCounts,
): Promise<void> {
  const { writer, pieces, capacity } = sequence;
  if (sequence.isOver) return;
  try {
    const logits = await rows.at(row);
    // The request may have been aborted while rows of the output head were read.
    if (sequence.isOver) return;
    const { pieces: written, then } = writer.write(logits, { isFull: sequence.position === capacity });
    counts.generatedTokens += 1;
    for (const piece of written) pieces.push(piece);
    if (then === "ended") sequence.finish();
    if (then === "full") sequence.finish({ error: writer.contextFull(capacity) });
  } catch (error) {
    if (isFatal(error)) throw error;
    sequence.finish({ error });
  }
}

function continuation({ sequence, tokens }: StepPart<RunningSequence>): Continuation {
  const { writer, history, position, slot } = sequence;
  const end = position + tokens;
  return {
    cache: slot.cache.plan,
    position,
    tokens: history.slice(position, end),
    needs: end === history.length ? writer.needs([]) : [],
  };
}

/** Whether the model is unusable after this error. */
function isFatal(error: unknown): boolean {
  return error instanceof BitNetError && (error.code === "WORKER_FAILED" || error.code === "DISPOSED");
}
