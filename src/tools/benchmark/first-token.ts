import { throwIfAborted } from "../../errors.js";
import type { GeneratedPiece } from "../../generation/generated-piece.js";
import { type Spread, spreadOf } from "./statistics.js";

/** The measured part of a language model. */
export interface FirstTokenSubject {
  tokenize(text: string): number[];
  generate(
    prompt: string,
    options: {
      readonly maxTokens: number;
      readonly temperature: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): AsyncGenerator<GeneratedPiece, void, void>;
}

/** Milliseconds from a prompt to the first token of the answer. */
export interface FirstToken {
  readonly promptTokens: number;
  /** The first time after loading, before the host has optimised all code. */
  readonly coldMs: number;
  /** Later times. */
  readonly warmMs: Spread;
}

/** Short: the test measures how soon an answer begins, not prefill. */
export const firstTokenPrompt = "Once upon a time";

/** Milliseconds from a prompt to the first token of the answer, as users see it: text in, text out. */
export async function timeFirstToken(model: FirstTokenSubject, signal?: AbortSignal): Promise<number> {
  const startedMs = performance.now();
  const pieces = model.generate(firstTokenPrompt, { maxTokens: 1, temperature: 0, signal });
  await pieces.next();
  const ms = performance.now() - startedMs;
  await pieces.return();
  // The piece that reports an abort is not a token.
  throwIfAborted(signal);
  return ms;
}

/** Call it first after loading. */
export async function measureFirstToken(
  model: FirstTokenSubject,
  { repetitions, signal }: { readonly repetitions: number; readonly signal?: AbortSignal | undefined },
): Promise<FirstToken> {
  const coldMs = await timeFirstToken(model, signal);
  const times: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    times.push(await timeFirstToken(model, signal));
  }
  return {
    promptTokens: model.tokenize(firstTokenPrompt).length,
    coldMs,
    warmMs: spreadOf(times),
  };
}
