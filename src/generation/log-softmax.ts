import { BitNetError } from "../errors.js";
import { bounded } from "./candidates.js";
import { exp, log } from "./deterministic-math.js";

/**
 * Log-probabilities of the tokens that a row of logits is about: natural logarithms, in double arithmetic, in the order of
 * the ids, so that every runtime gives the same bits. Tokens whose logit is NaN have none of the probability.
 *
 * @returns what gives a token's log-probability; it looks into `logits` again.
 * @throws `MODEL_INVALID` if no logit is a number above −Infinity.
 */
export function logSoftmax(logits: Float32Array): (tokenId: number) => number {
  let largest = -Infinity;
  for (const given of logits) if (given > largest) largest = given;
  largest = bounded(largest);
  if (largest === -Infinity) {
    throw new BitNetError("MODEL_INVALID", "Cannot tell probabilities: the model gave no finite logit");
  }
  let total = 0;
  for (const given of logits) {
    const logit = bounded(given);
    if (logit > -Infinity) total += exp(logit - largest);
  }
  const logTotal = log(total);
  return (tokenId) => {
    const logit = bounded(logits[tokenId] ?? 0);
    // The difference of two f32 is nearly always exact in f64; log(Σ) is then the only rounding.
    return logit > -Infinity ? logit - largest - logTotal : -Infinity;
  };
}
