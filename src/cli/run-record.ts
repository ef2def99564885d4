import type { FinishReason, GeneratedPiece } from "../generation/generated-piece.js";

/** What `run --json` prints. */
export interface RunResult {
  /** What the model wrote; the prompt is not repeated. */
  readonly text: string;
  /** The tokens it wrote, the one that ended the text included. */
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly finishReason: FinishReason;
  readonly timings: {
    readonly loadMs: number;
    /** Until the first token was there. */
    readonly promptMs: number;
    /** From the first token to the last. */
    readonly generationMs: number;
    /** Of the tokens after the first; 0 where there is none. */
    readonly tokensPerSecond: number;
  };
}

/** Keeps what a run produced and when. */
export interface RunRecord {
  add(piece: GeneratedPiece): void;
  /** What there is so far; a text that nothing has ended yet was ended by its `otherwise`. */
  result(otherwise: FinishReason): RunResult;
}

/** To be made just before the prompt is evaluated. */
export function createRunRecord(promptTokens: number, loadMs: number): RunRecord {
  const startedMs = performance.now();
  let firstMs: number | undefined;
  let lastMs = startedMs;
  let text = "";
  let finishReason: FinishReason | undefined;
  const tokenIds: number[] = [];
  return {
    add(piece): void {
      text += piece.text;
      finishReason = piece.finishReason;
      // The piece that reports an abort repeats the token before it.
      if (finishReason === "abort") return;
      tokenIds.push(piece.tokenId);
      lastMs = performance.now();
      firstMs ??= lastMs;
    },
    result(otherwise): RunResult {
      const promptMs = (firstMs ?? performance.now()) - startedMs;
      const generationMs = lastMs - (firstMs ?? lastMs);
      return {
        text,
        tokenIds,
        promptTokens,
        generatedTokens: tokenIds.length,
        finishReason: finishReason ?? otherwise,
        timings: {
          loadMs: round(loadMs),
          promptMs: round(promptMs),
          generationMs: round(generationMs),
          // The first token comes out of the prompt's pass, so n tokens are n − 1 steps.
          tokensPerSecond: generationMs > 0 ? round(((tokenIds.length - 1) * 1000) / generationMs) : 0,
        },
      };
    },
  };
}

/** Microseconds of a clock are noise. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
