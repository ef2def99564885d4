import { BitNetError } from "../../errors.js";
import type { SoftmaxTotals } from "../../engine/evaluator.js";
import { bounded } from "./candidates.js";
import { exp, log } from "./deterministic-math.js";

/**
 * Log-probabilities by a row of logits: natural logarithms, in double arithmetic of a fixed order, so that
 * every runtime gives the same bits. A token with a logit of NaN has probability 0.
 *
 * @param totals of the same logits, if known: the team can compute them in the pass.
 * @returns a function from token ids to log-probabilities; it reads `logits` again.
 * @throws BitNetError MODEL_INVALID if no logit is a number above −Infinity.
 */
export function logSoftmax(
  logits: Float32Array,
  totals: SoftmaxTotals = softmaxTotals(logits),
): (tokenId: number) => number {
  const { largest, total } = totals;
  if (largest === -Infinity) {
    throw new BitNetError("MODEL_INVALID", "Cannot compute probabilities: the model gave no finite logit");
  }
  const logTotal = log(total);
  return (tokenId) => {
    const logit = bounded(logits[tokenId] ?? 0);
    // The difference of two f32 is nearly always exact in f64, so only the logarithm rounds.
    return logit > -Infinity ? logit - largest - logTotal : -Infinity;
  };
}

/** Logits further below the largest count as 0: e^−700 is 1e-304. */
const minDifference = -700;

/**
 * Twin of the kernel softmax_totals, for logits that no pass has summed: same sums, same order, same bits.
 */
export function softmaxTotals(logits: Float32Array): SoftmaxTotals {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  largest = bounded(largest);
  const weight = (index: number): number => {
    const difference = bounded(logits[index] ?? 0) - largest;
    return difference >= minDifference ? exp(difference) : 0;
  };

  const inSeries = logits.length - (logits.length % 8);
  const series = new Float64Array(8);
  for (let index = 0; index < inSeries; index += 1) {
    series[index & 7] = (series[index & 7] ?? 0) + weight(index);
  }
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = series;
  let total = a + e + (c + g) + (b + f + (d + h));
  for (let index = inSeries; index < logits.length; index += 1) total += weight(index);
  return { largest, total };
}
