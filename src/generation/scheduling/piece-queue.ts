import type { GeneratedPiece } from "../generated-piece.js";

/** Pieces on their way from who writes them to who reads them. The writer does not wait: a context bounds how many there are. */
export interface PieceQueue {
  push(piece: GeneratedPiece): void;
  /** No more will come; an error is thrown after the last piece. What comes later is ignored. */
  end(failure?: { readonly error: unknown }): void;
  /** The next piece; undefined after the last. For one reader, who waits for each. */
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
