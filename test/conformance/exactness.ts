import type { TestContext } from "vitest";
import { BitNetError } from "#dist/errors.js";
import { type LanguageModel, loadModel, type LoadOptions, type ModelSource } from "#dist/index.js";
import { rowOf } from "./intermediates.js";

// The same file and ids give the same bits on every build, number of threads and division of the work. The
// reference is the simplest way: one thread, no relaxed instruction, zeros not skipped, no lookup tables, all
// tokens at once.

export const plainest = {
  threads: 1,
  engine: { kernelBuild: "simd128", dotForm: "i8", sparsity: "off", lookup: false },
} as const;

const prompt =
  "Once upon a time there was a little fox who lived in the wood by the old mill. Every morning she went down to the water, " +
  'and every evening the miller\'s three sons saw her there. "Good day!" said the youngest, for he was a kind boy; but the ' +
  "other two threw stones, and would not listen to what anyone told them about kindness, bread, or the king's white horse.";
/** More tokens than one pass takes (64), and a prime number. */
const promptTokens = 83;

export function promptIds(model: LanguageModel): readonly number[] {
  const ids = model.tokenize(prompt).slice(0, promptTokens);
  if (ids.length !== promptTokens)
    throw new Error(`the prompt has ${ids.length} tokens, expected ${promptTokens}`);
  return ids;
}

/** A text to continue by sampling. Sampling shows even a small difference of a logit sooner or later. */
export const sampledPrompt: string = prompt.slice(0, 40);
export const sampling = { maxTokens: 20, temperature: 0.9, topK: 40, seed: 7 } as const;

/** @throws if the bytes differ. */
export function requireSameBits(actual: Float32Array, expected: Float32Array, what: string): void {
  const bytes = (values: Float32Array): Uint8Array =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (Buffer.compare(bytes(actual), bytes(expected)) === 0) return;
  const index = expected.findIndex((value, i) => !Object.is(value, actual[i]));
  throw new Error(
    `${what}: logit ${index} of ${expected.length} is ${actual[index]}, expected ${expected[index]}`,
  );
}

/**
 * Evaluates ids in pieces of these sizes, repeatedly. Compares the logits after each piece with the logits of
 * all ids at once, [ids][vocabulary].
 */
export async function requireSamePieces(
  model: LanguageModel,
  ids: readonly number[],
  logits: Float32Array,
  sizes: readonly number[],
): Promise<void> {
  const vocabSize = logits.length / ids.length;
  using session = model.createSession({ contextLength: ids.length });
  for (let begin = 0, piece = 0; begin < ids.length; piece += 1) {
    const end = Math.min(ids.length, begin + (sizes[piece % sizes.length] ?? 1));
    const expected = rowOf(logits, end - 1, vocabSize);
    requireSameBits(await session.evaluate(ids.slice(begin, end)), expected, `ids ${begin} to ${end}`);
    begin = end;
  }
}

/** Loads a model. Skips the test if the library refuses kernels that this runtime or engine lacks. */
export async function loadOrSkip(
  source: ModelSource,
  options: LoadOptions,
  context: TestContext,
): Promise<LanguageModel> {
  try {
    return await loadModel(source, options);
  } catch (error) {
    const refused =
      error instanceof BitNetError && ["SELF_TEST_FAILED", "UNSUPPORTED_RUNTIME"].includes(error.code);
    if (refused) return context.skip(error.message);
    throw error;
  }
}
