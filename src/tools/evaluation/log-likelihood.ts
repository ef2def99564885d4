import { BitNetError } from "../../errors.js";
import { logSoftmax } from "../../generation/sampling/log-softmax.js";
import type { InnerSession } from "../../engine/session.js";

/** A session and its number of token logits: some heads are padded to a round number of rows. */
export interface Scorer {
  readonly session: InnerSession;
  readonly vocabSize: number;
}

/**
 * Evaluates `ids` and returns, for each list in `targets`, the log-probability of each of its tokens. The
 * last token of a list follows all ids, the one before it follows all but the last id, and so on. Lists have
 * one length and differ in their last tokens only.
 *
 * Logits are computed only for rows that predict a target. They are read one pass at a time and are not
 * copied. For 512 tokens of a vocabulary of 128256, all logits would take 262 MB.
 *
 * @returns natural logarithms: [targets.length][length of a list]
 * @throws BitNetError as `session.evaluate`; MODEL_INVALID if a probability is 0 or NaN.
 */
export async function logLikelihoods(
  { session, vocabSize }: Scorer,
  ids: readonly number[],
  targets: readonly (readonly number[])[],
  signal: AbortSignal | undefined,
): Promise<readonly Float64Array[]> {
  const rows = targets[0]?.length ?? 0;
  const results = targets.map(() => new Float64Array(rows));
  const firstPosition = session.position + ids.length - rows + 1;
  await session.visitLogits(
    ids,
    { rows, cols: vocabSize },
    (logits, row, totals) => {
      const logProbability = logSoftmax(logits, totals);
      for (const [index, result] of results.entries()) {
        const tokenId = targets[index]?.[row] ?? 0;
        result[row] = requireFinite(logProbability(tokenId), tokenId, firstPosition + row);
      }
    },
    signal,
  );
  return results;
}

function requireFinite(value: number, tokenId: number, position: number): number {
  if (Number.isFinite(value)) return value;
  throw new BitNetError(
    "MODEL_INVALID",
    `Cannot score token ${tokenId} at position ${position}: its logit is not a finite number`,
    { details: { tokenId, position } },
  );
}
