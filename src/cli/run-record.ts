import type { FinishReason, GeneratedPiece } from "../generation/generated-piece.js";

/** The object of `run --json`. */
export interface RunResult {
  /** The text of the model, without the prompt. */
  readonly text: string;
  /** The tokens of the model, with the token that ended the text. */
  readonly tokenIds: readonly number[];
  /** One entry per token; only with `logprobs`. */
  readonly logprobs?: readonly TokenLogprobs[];
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly finishReason: FinishReason;
  readonly timings: {
    readonly loadMs: number;
    /** Time to the first token. */
    readonly promptMs: number;
    /** From the first token to the last. */
    readonly generationMs: number;
    /** Speed after the first token. 0 if there is only one. */
    readonly tokensPerSecond: number;
  };
}

/** Log-probability of a token, and the likeliest tokens if `topLogprobs` asks for them. */
export type TokenLogprobs = Pick<GeneratedPiece, "tokenId" | "logprob" | "topLogprobs">;

/** Collects pieces and their times. */
export interface RunRecord {
  add(piece: GeneratedPiece): void;
  /** @param otherwise finish reason if the text ended without one. */
  result(otherwise: FinishReason): RunResult;
}

/** Starts the clock: call it just before the prompt is evaluated. */
export function createRunRecord(promptTokens: number, loadMs: number): RunRecord {
  const startedMs = performance.now();
  let firstMs: number | undefined;
  let lastMs = startedMs;
  let text = "";
  let finishReason: FinishReason | undefined;
  const tokenIds: number[] = [];
  const logprobs: TokenLogprobs[] = [];
  return {
    add(piece): void {
      text += piece.text;
      finishReason = piece.finishReason;
      // The piece that reports an abort repeats the token before it.
      if (finishReason === "abort") return;
      const { tokenId, logprob, topLogprobs } = piece;
      tokenIds.push(tokenId);
      if (logprob !== undefined) logprobs.push({ tokenId, logprob, ...(topLogprobs && { topLogprobs }) });
      lastMs = performance.now();
      firstMs ??= lastMs;
    },
    result(otherwise): RunResult {
      const promptMs = (firstMs ?? performance.now()) - startedMs;
      const generationMs = lastMs - (firstMs ?? lastMs);
      return {
        text,
        tokenIds,
        ...(logprobs.length > 0 && { logprobs }),
        promptTokens,
        generatedTokens: tokenIds.length,
        finishReason: finishReason ?? otherwise,
        timings: {
          loadMs: round(loadMs),
          promptMs: round(promptMs),
          generationMs: round(generationMs),
          // The prompt's pass gives the first token, so n tokens take n − 1 steps.
          tokensPerSecond: generationMs > 0 ? round(((tokenIds.length - 1) * 1000) / generationMs) : 0,
        },
      };
    },
  };
}

/** Three decimals. More would be noise. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
