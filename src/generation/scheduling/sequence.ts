import { abortReason } from "../../errors.js";
import type { TextWriter } from "../text-writer.js";
import { createPieceQueue, type PieceQueue } from "./piece-queue.js";
import type { Slot } from "./slots.js";
import type { Unfinished } from "./step-plan.js";

/** Why a sequence failed. */
export interface Failure {
  readonly error: unknown;
}

/** A request and its text. */
export interface Sequence extends Unfinished {
  readonly writer: TextWriter;
  readonly pieces: PieceQueue;
  /** Maximum number of positions that it fills. */
  readonly capacity: number;
  /** Undefined while the request waits. */
  readonly slot: Slot | undefined;
  /** Tokens of the prompt that were cached already. */
  cachedTokens: number;
  /** The reader has all pieces, or left. The slot is released after the current pass. */
  readonly isOver: boolean;
  /** Gives the sequence a slot. */
  start(slot: Slot): RunningSequence;
  /** Ends the sequence for its reader. Idempotent. */
  finish(failure?: Failure): void;
}

/** A sequence with a slot. */
export interface RunningSequence extends Sequence {
  readonly slot: Slot;
}

/**
 * A sequence that waits.
 *
 * @param capacity maximum number of positions that it fills.
 * @param onFinish called once, when the sequence is over.
 */
export function createSequence(
  writer: TextWriter,
  capacity: number,
  signal: AbortSignal | undefined,
  onFinish: (sequence: Sequence) => void,
): Sequence {
  const pieces = createPieceQueue();
  let slot: Slot | undefined;
  let isOver = false;
  const abort = (): void => {
    if (signal === undefined) return;
    for (const piece of writer.abort()) pieces.push(piece);
    sequence.finish({ error: abortReason(signal) });
  };
  const sequence: Sequence = {
    writer,
    pieces,
    capacity,
    history: writer.history,
    cachedTokens: 0,
    get position() {
      return slot?.tokens.length ?? 0;
    },
    get slot() {
      return slot;
    },
    get isOver() {
      return isOver;
    },
    start(given): RunningSequence {
      slot = given;
      // The slot is set, and stays so.
      return sequence as RunningSequence;
    },
    finish(failure): void {
      if (isOver) return;
      isOver = true;
      signal?.removeEventListener("abort", abort);
      pieces.end(failure);
      onFinish(sequence);
    },
  };
  signal?.addEventListener("abort", abort, { once: true });
  return sequence;
}
