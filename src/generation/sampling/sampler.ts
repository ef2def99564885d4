import { BitNetError } from "../../errors.js";
import { bounded, Candidates } from "./candidates.js";
import { everyTokenForbidden } from "./check-biases.js";
import { exp } from "./deterministic-math.js";
import { logSoftmax } from "./log-softmax.js";
import { createRandom } from "./random.js";
import type { TokenLogprob } from "../generated-piece.js";
import type { SamplerOptions } from "../resolve-options.js";

export interface Sample {
  readonly tokenId: number;
  /** Log-probability of the token by the unchanged logits; undefined unless `logprobs` is set. */
  readonly logprob: number | undefined;
  /** The likeliest tokens by the unchanged logits; undefined unless `topLogprobs` is above 0. */
  readonly topLogprobs: readonly TokenLogprob[] | undefined;
}

/** In place of a token id, if there is no token to pick. */
const noToken = -1;

/** Picks tokens, one after the other. Every random pick takes one random number. */
export interface Sampler {
  /**
   * @param logits one per token of the vocabulary; read only.
   * @param history the tokens so far, prompt included; only the last `repeatLastN` count.
   * @param among the only tokens with logits above −Infinity, ascending, if known. It saves time and changes
   *   no pick.
   * @param guide restricts the tokens.
   * @throws BitNetError MODEL_INVALID if no logit is a number above −Infinity, INVALID_ARGUMENT if biases
   *   forbid all such tokens.
   */
  sample(
    logits: Float32Array,
    history: ArrayLike<number>,
    among?: readonly number[],
    guide?: TokenGuide,
  ): Sample;
  /** Takes a token that is not picked. It takes no random number. */
  take(tokenId: number, logits: Float32Array): Sample;
}

/** Restricts the tokens: one by one (slow for a whole vocabulary), or all at once (slow in a new state). */
export interface TokenGuide {
  readonly allows: (tokenId: number) => boolean;
  /** Sets the logits of all other tokens to −Infinity. */
  readonly restrict: (logits: Float32Array) => void;
  /** Whether `restrict` is fast now: the allowed tokens are known. */
  readonly isKnown: () => boolean;
}

/**
 * Makes a sampler.
 *
 * The steps are llama.cpp's, in its order: biases, penalties, top-k, top-p, min-p, temperature, draw. So
 * top-p and min-p use the model's own probabilities, before temperature. Temperature 0 is greedy after biases
 * and penalties. Of equal logits the lower id counts as likelier, in every step.
 *
 * Equal options, seed, logits and history give the same tokens on every runtime: the arithmetic is that of
 * deterministic-math.ts, in an order that depends on the candidates only.
 *
 * @param seed a whole number from 0 to 2^53 − 1.
 */
export function createSampler(options: SamplerOptions, seed: number): Sampler {
  const { temperature, topK, topP, minP } = options;
  const adjust = createLogitAdjustment(options);
  const random = createRandom(seed);
  const candidates = new Candidates();
  let weights = new Float64Array(0);
  let restricted = new Float32Array(0);

  return {
    sample(logits, history, among, guide): Sample {
      const adjusted = adjust(logits, history);
      const tokenId = guide === undefined ? pick(adjusted, among) : pickGuided(adjusted, guide);
      if (tokenId === noToken) throw noCandidate(logits, options);
      return describe(tokenId, logits);
    },
    take: describe,
  };

  function describe(tokenId: number, logits: Float32Array): Sample {
    if (!options.logprobs) return { tokenId, logprob: undefined, topLogprobs: undefined };
    const logprobOf = logSoftmax(logits);
    const { topLogprobs: count } = options;
    return {
      tokenId,
      logprob: logprobOf(tokenId),
      topLogprobs: count === 0 ? undefined : top(logits, count, logprobOf),
    };
  }

  function top(logits: Float32Array, count: number, logprobOf: (id: number) => number): TokenLogprob[] {
    candidates.takeLikeliest(logits, count);
    return Array.from({ length: candidates.count }, (_, index) => {
      const tokenId = candidates.id(index);
      return { tokenId, logprob: logprobOf(tokenId) };
    });
  }

  /** @returns `noToken` if no logit is a number above −Infinity. */
  function pick(logits: Float32Array, among?: readonly number[]): number {
    return temperature === 0 ? likeliest(logits, among) : draw(logits, among);
  }

  /**
   * If enough of the likeliest tokens are allowed, the other tokens do not matter. This is common inside of
   * strings, where most of a vocabulary is allowed and walking through all of it would take longer than the
   * model.
   */
  function pickGuided(logits: Float32Array, guide: TokenGuide): number {
    const limit = temperature === 0 ? 1 : topK;
    if (limit > 0 && !guide.isKnown()) {
      candidates.takeLikeliest(logits, 4 * limit + 64);
      candidates.filter(guide.allows, limit);
      if (candidates.count === limit) return temperature === 0 ? candidates.id(0) : drawLikeliest();
    }
    if (restricted.length !== logits.length) restricted = new Float32Array(logits.length);
    restricted.set(logits);
    guide.restrict(restricted);
    return pick(restricted);
  }

  /** Draws from the candidates: the likeliest tokens, sorted. */
  function drawLikeliest(): number {
    if (topP < 1) candidates.truncate(nucleusLength(candidates, totalWeight(candidates), topP));
    return drawWeighted();
  }

  function draw(logits: Float32Array, among?: readonly number[]): number {
    const hasTopK = topK > 0 && topK < logits.length;
    if (hasTopK) {
      candidates.takeLikeliest(logits, topK, among);
      if (candidates.count > 0) return drawLikeliest();
    } else if (topP < 1) {
      takeNucleus(logits);
    } else {
      candidates.takeAll(logits);
    }
    if (candidates.count === 0) return noToken;
    return drawWeighted();
  }

  /**
   * Top-p over the whole vocabulary: takes more and more of the likeliest tokens until they have the
   * probability.
   */
  function takeNucleus(logits: Float32Array): void {
    candidates.takeAll(logits);
    const total = totalWeight(candidates);
    const all = candidates.count;
    for (let limit = 64; ; limit *= 8) {
      candidates.takeLikeliest(logits, limit);
      const length = nucleusLength(candidates, total, topP);
      const lowest = candidates.logit(candidates.count - 1);
      // If min-p drops the last candidate, it drops all less likely tokens too.
      const minPEnds = minP > 0 && exp(lowest - candidates.logit(0)) < minP;
      if (length < limit || minPEnds || candidates.count >= all) {
        candidates.truncate(length);
        return;
      }
    }
  }

  /** Min-p, temperature and the draw. */
  function drawWeighted(): number {
    const { count } = candidates;
    if (weights.length < count) weights = new Float64Array(count);
    const max = highestLogit(candidates);
    let total = 0;
    for (let index = 0; index < count; index += 1) {
      const difference = candidates.logit(index) - max;
      const kept = minP === 0 || exp(difference) >= minP;
      const weight = kept ? exp(difference / temperature) : 0;
      weights[index] = weight;
      total += weight;
    }
    const drawn = random.next() * total;
    let sum = 0;
    let last = 0;
    for (let index = 0; index < count; index += 1) {
      const weight = weights[index] ?? 0;
      if (weight === 0) continue;
      sum += weight;
      last = index;
      if (sum > drawn) break;
    }
    // If rounding makes `drawn` equal to the total, the last candidate is drawn.
    return candidates.id(last);
  }
}

/** The number of sorted candidates that together reach `share` of `total`; at least one. */
function nucleusLength(candidates: Candidates, total: number, share: number): number {
  const max = candidates.logit(0);
  const target = share * total;
  let sum = 0;
  for (let index = 0; index < candidates.count; index += 1) {
    sum += exp(candidates.logit(index) - max);
    if (sum >= target) return index + 1;
  }
  return candidates.count;
}

function totalWeight(candidates: Candidates): number {
  const max = highestLogit(candidates);
  let total = 0;
  for (let index = 0; index < candidates.count; index += 1) total += exp(candidates.logit(index) - max);
  return total;
}

function highestLogit(candidates: Candidates): number {
  let max = -Infinity;
  for (let index = 0; index < candidates.count; index += 1) {
    const logit = candidates.logit(index);
    if (logit > max) max = logit;
  }
  return max;
}

function likeliest(logits: Float32Array, among?: readonly number[]): number {
  let best = noToken;
  let max = -Infinity;
  const count = among?.length ?? logits.length;
  for (let index = 0; index < count; index += 1) {
    const id = among?.[index] ?? index;
    const logit = bounded(logits[id] ?? 0);
    if (logit > max) {
      max = logit;
      best = id;
    }
  }
  return best;
}

/** Applies biases and penalties. Without any, it returns the given logits. */
function createLogitAdjustment(
  options: SamplerOptions,
): (logits: Float32Array, history: ArrayLike<number>) => Float32Array {
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN, logitBias } = options;
  const penalizes =
    repeatLastN !== 0 && (repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0);
  if (!penalizes && logitBias.size === 0) return (logits) => logits;

  let adjusted = new Float32Array(0);
  // Occurrences of each token in the recent text; all zero between calls.
  let counts = new Int32Array(0);
  return (logits, history) => {
    if (adjusted.length !== logits.length) {
      adjusted = new Float32Array(logits.length);
      counts = new Int32Array(logits.length);
    }
    adjusted.set(logits);
    for (const [id, bias] of logitBias) {
      if (id < adjusted.length) adjusted[id] = (adjusted[id] ?? 0) + bias;
    }
    if (!penalizes) return adjusted;
    const begin = repeatLastN === -1 ? 0 : Math.max(0, history.length - repeatLastN);
    for (let index = begin; index < history.length; index += 1) {
      const id = history[index] ?? 0;
      counts[id] = (counts[id] ?? 0) + 1;
    }
    for (let index = begin; index < history.length; index += 1) {
      const id = history[index] ?? 0;
      const count = counts[id] ?? 0;
      if (count === 0) continue;
      counts[id] = 0;
      const logit = adjusted[id] ?? 0;
      const repeated = logit <= 0 ? logit * repeatPenalty : logit / repeatPenalty;
      adjusted[id] = repeated - count * frequencyPenalty - presencePenalty;
    }
    return adjusted;
  };
}

function noCandidate(logits: Float32Array, { logitBias }: SamplerOptions): BitNetError {
  const forbids = [...logitBias.values()].includes(-Infinity);
  if (forbids && logits.some((logit) => logit > -Infinity)) return everyTokenForbidden();
  return new BitNetError("MODEL_INVALID", "Cannot pick a token: the model gave no finite logit");
}
