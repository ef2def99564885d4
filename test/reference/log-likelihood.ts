import type { Session } from "#dist/index.js";

/** ln softmax(logits)[tokenId], with the host's exp and log. */
export function slowLogSoftmax(logits: Float32Array, tokenId: number): number {
  const largest = logits.reduce((max, logit) => Math.max(max, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  return (logits[tokenId] ?? NaN) - largest - Math.log(total);
}

/**
 * ln p of every token except the first, each after all tokens before it. Evaluates everything at once in a
 * new session and copies all logits.
 */
export async function slowLogProbabilities(
  session: Session,
  ids: readonly number[],
): Promise<readonly number[]> {
  session.truncate(0);
  const logits = await session.evaluate(ids, { logits: "all" });
  const vocabSize = logits.length / ids.length;
  return ids
    .slice(1)
    .map((id, row) => slowLogSoftmax(logits.subarray(row * vocabSize, (row + 1) * vocabSize), id));
}
