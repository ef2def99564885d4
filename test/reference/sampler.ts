import type { SamplerOptions } from "#dist/generation/resolve-options.js";

interface Token {
  readonly id: number;
  logit: number;
}

/**
 * Sampling by the options' descriptions, with plain lists and Math.exp.
 * @param chance from 0, below 1.
 */
export function sampleByDefinition(
  logits: Float32Array,
  history: readonly number[],
  options: SamplerOptions,
  chance: number,
): number {
  let tokens: Token[] = Array.from(logits, (logit, id) => ({
    id,
    logit: Math.fround(logit + (options.logitBias.get(id) ?? 0)),
  }));
  const { repeatLastN } = options;
  const recent = repeatLastN === -1 ? history : repeatLastN === 0 ? [] : history.slice(-repeatLastN);
  for (const token of tokens) {
    const count = recent.filter((id) => id === token.id).length;
    if (count === 0) continue;
    const { logit } = token;
    const repeated = logit <= 0 ? logit * options.repeatPenalty : logit / options.repeatPenalty;
    token.logit = Math.fround(repeated - count * options.frequencyPenalty - options.presencePenalty);
  }

  tokens = tokens.filter(({ logit }) => logit > -Infinity);
  for (const token of tokens) token.logit = Math.min(token.logit, 3.4028234663852886e38);
  const sorted = [...tokens].sort((a, b) => b.logit - a.logit || a.id - b.id);
  const best = sorted[0];
  if (best === undefined) throw new Error("nothing to choose from");
  if (options.temperature === 0) return best.id;

  let kept = sorted;
  if (options.topK > 0) kept = kept.slice(0, options.topK);
  if (options.topP < 1) {
    const weights = kept.map(({ logit }) => Math.exp(logit - best.logit));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let sum = 0;
    const length = weights.findIndex((weight) => (sum += weight) >= options.topP * total) + 1;
    kept = kept.slice(0, length === 0 ? kept.length : length);
  }
  kept = kept.filter(({ logit }) => Math.exp(logit - best.logit) >= options.minP);
  // A draw goes through tokens from the likeliest, or by id if no option needs sorting.
  const isSorted = options.topP < 1 || (options.topK > 0 && options.topK < logits.length);
  if (!isSorted) kept.sort((a, b) => a.id - b.id);

  const weights = kept.map(({ logit }) => Math.exp((logit - best.logit) / options.temperature));
  const drawn = chance * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const index = weights.findIndex((weight) => (sum += weight) > drawn);
  return kept[index === -1 ? kept.length - 1 : index]?.id ?? -1;
}
