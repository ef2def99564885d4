import { BitNetError } from "../../errors.js";
import type { SoftmaxTotals } from "../../engine/evaluator.js";
import { bounded } from "./candidates.js";
import { exp, log } from "./deterministic-math.js";

/**
 * Log-probabilities of the tokens that a row of logits is about: natural logarithms, in double arithmetic whose order is
 * fixed, so that every runtime gives the same bits. Tokens whose logit is NaN have none of the probability.
 *
 * @param totals of the same logits, where they are known: a pass can have the team compute them.
 * @returns what gives a token's log-probability; it looks into `logits` again.
 * @throws `MODEL_INVALID` if no logit is a number above −Infinity.
 */
export function logSoftmax(
  logits: Float32Array,
  totals: SoftmaxTotals = softmaxTotals(logits),
): (tokenId: number) => number {
  const { largest, total } = totals;
  if (largest === -Infinity) {
    throw new BitNetError("MODEL_INVALID", "Cannot tell probabilities: the model gave no finite logit");
  }
  const logTotal = log(total);
  return (tokenId) => {
    const logit = bounded(logits[tokenId] ?? 0);
    // The difference of two f32 is nearly always exact in f64; the logarithm's is then the only rounding.
    return logit > -Infinity ? logit - largest - logTotal : -Infinity;
  };
}

/** What is this far below the largest is nothing beside it: e^−700 is 1e-304. */
const leastDifference = -700;

/** The kernel of this name, for logits that no pass has summed: the same sums in the same order, bit for bit. */
export function softmaxTotals(logits: Float32Array): SoftmaxTotals {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  largest = bounded(largest);
  const weight = (index: number): number => {
    const difference = bounded(logits[index] ?? 0) - largest;
    return difference >= leastDifference ? exp(difference) : 0;
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
