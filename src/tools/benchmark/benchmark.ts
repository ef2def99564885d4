import { BitNetError } from "../../errors.js";
import { createRandom } from "../../generation/sampling/random.js";
import type { InnerSession } from "../../engine/session.js";
import { spreadOf } from "./statistics.js";

/**
 * One test, by llama-bench's names: "pp" evaluates a prompt of this many tokens at once, "tg" evaluates
 * tokens one after another, like generation. Both begin with an empty cache.
 */
export interface BenchmarkTest {
  readonly kind: "pp" | "tg";
  readonly tokens: number;
}

/** The measured part of a language model. */
export interface BenchmarkSubject {
  readonly info: { readonly vocabSize: number; readonly contextLength: number };
  /** Opens a session as generation uses it. */
  openSession(contextLength: number): MeasuredSession;
}

export type MeasuredSession = Disposable & Pick<InnerSession, "evaluateInPlace" | "truncate">;

export interface BenchmarkOptions {
  /** Repetitions after the warm-up, from 1. */
  readonly repetitions: number;
  /** Tokens to evaluate, at least one; repeated if there are too few. Default: random ones. */
  readonly ids?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after the warm-up: the measurement begins. */
  readonly onMeasuring?: (() => void) | undefined;
}

/** Speeds of the repetitions. */
export interface Measurement {
  readonly test: `${BenchmarkTest["kind"]}${number}`;
  readonly medianTokensPerSecond: number;
  readonly minTokensPerSecond: number;
  readonly maxTokensPerSecond: number;
  readonly repetitions: number;
  /** All repetitions together, and the tokens evaluated in them. */
  readonly total: { readonly ms: number; readonly tokens: number };
}

/** The work of greedy sampling after a pass: find the largest logit. */
const greedy = { count: 1, always: [] } as const;

/** Long enough for the host to optimise the kernels and to fill caches. */
const warmUpMs = 2000;

/** @throws BitNetError INVALID_ARGUMENT for a test that the model's context cannot hold. */
export function requireFits({ kind, tokens }: BenchmarkTest, contextLength: number): void {
  if (tokens <= contextLength) return;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Cannot measure ${kind}${tokens}: the model's context holds ${contextLength} tokens; choose ${contextLength} or fewer`,
    { details: { tokens, contextLength } },
  );
}

/**
 * Runs a test once to warm up and then `repetitions` times.
 *
 * Random tokens are the same ones every time. Tokens change the speed only in trained models with many zero
 * activations (graph/sparse-matmuls), whose number depends on the text. No sampler is measured.
 *
 * @throws BitNetError INVALID_ARGUMENT for a test that the context cannot hold; the errors of evaluation.
 */
export async function measure(
  model: BenchmarkSubject,
  test: BenchmarkTest,
  { repetitions, ids: given, signal, onMeasuring }: BenchmarkOptions,
): Promise<Measurement> {
  const { vocabSize, contextLength } = model.info;
  requireFits(test, contextLength);
  const random = createRandom(1);
  const ids = Array.from(
    { length: test.tokens },
    (_, index) => given?.[index % given.length] ?? Math.floor(random.next() * vocabSize),
  );
  const steps = test.kind === "pp" ? [ids] : ids.map((id) => [id]);
  using session = model.openSession(test.tokens);

  /** Runs the test, or the part of it that begins within `limitMs`. */
  async function once(limitMs: number): Promise<number> {
    session.truncate(0);
    const startedMs = performance.now();
    for (const step of steps) {
      await session.evaluateInPlace(step, greedy, signal);
      if (performance.now() - startedMs > limitMs) break;
    }
    return performance.now() - startedMs;
  }

  await once(warmUpMs);
  onMeasuring?.();
  const times: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) times.push(await once(Infinity));
  const { median, min, max } = spreadOf(times.map((ms) => (test.tokens * 1000) / ms));
  return {
    test: `${test.kind}${test.tokens}`,
    medianTokensPerSecond: median,
    minTokensPerSecond: min,
    maxTokensPerSecond: max,
    repetitions,
    total: { ms: times.reduce((sum, ms) => sum + ms, 0), tokens: test.tokens * repetitions },
  };
}
