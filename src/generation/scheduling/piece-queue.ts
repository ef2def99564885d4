import type { GeneratedPiece } from "../generated-piece.js";

/**
 * Pieces on their way from the scheduler to a reader. The writer does not wait: the context bounds the number
 * of pieces.
 */
export interface PieceQueue {
  push(piece: GeneratedPiece): void;
  /** Ends the queue. The reader gets the error after the last piece. Later calls are ignored. */
  end(failure?: { readonly error: unknown }): void;
  /** The next piece; undefined after the last. For one reader, one call at a time. */
  take(): Promise<GeneratedPiece | undefined>;
}

export function createPieceQueue(): PieceQueue {
  const pieces: GeneratedPiece[] = [];
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;

  return {
    push(piece): void {
      if (ended) return;
      pieces.push(piece);
      wake?.();
    },
    end(error): void {
      if (ended) return;
      ended = true;
      failure = error;
      wake?.();
    },
    async take(): Promise<GeneratedPiece | undefined> {
      if (pieces.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
      const piece = pieces.shift();
      if (piece === undefined && failure !== undefined) throw failure.error;
      return piece;
    },
  };
}
