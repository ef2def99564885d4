import { BitNetError } from "../../errors.js";
import { bounded, Candidates } from "./candidates.js";
import { exp } from "./deterministic-math.js";
import { logSoftmax } from "./log-softmax.js";
import { createRandom } from "./random.js";
import type { TokenLogprob } from "../generated-piece.js";
import type { SamplerOptions } from "../resolve-options.js";

export interface Sample {
  readonly tokenId: number;
  /** log-softmax of the logits as they were given, at the token; undefined unless `logprobs` is set. */
  readonly logprob: number | undefined;
  /** The likeliest tokens by the logits as they were given; undefined unless `topLogprobs` is above 0. */
  readonly topLogprobs: readonly TokenLogprob[] | undefined;
}

/** Picks tokens, one after the other; every pick by chance takes one random number. */
export interface Sampler {
  /**
   * @param logits - one per token of the vocabulary; not written to.
   * @param history - the tokens so far, prompt included; only the last `repeatLastN` are looked at.
   * @param among - the only tokens with logits above −Infinity, ascending, where they are known; the same tokens are picked
   *   without it, later.
   * @param guide - says which tokens may be picked.
   * @throws `MODEL_INVALID` if no logit is a number above −Infinity.
   */
  sample(
    logits: Float32Array,
    history: ArrayLike<number>,
    among?: readonly number[],
    guide?: TokenGuide,
  ): Sample;
}

/** Which tokens may be picked: one by one, which is slow for all of them, or all at once, which is slow where it is new. */
export interface TokenGuide {
  readonly allows: (tokenId: number) => boolean;
  /** Sets the logits of all others to −Infinity. */
  readonly restrict: (logits: Float32Array) => void;
  /** Whether `restrict` has nothing left to find out. */
  readonly isKnown: () => boolean;
}

/**
 * Makes a sampler.
 *
 * The steps are llama.cpp's, in its order: biases, penalties, top-k, top-p, min-p, temperature, draw. Top-p and min-p
 * thus look at the model's own probabilities, before temperature. At temperature 0 the likeliest token after biases
 * and penalties is taken. Of equal logits the lower id counts as likelier, in every step.
 *
 * Equal options, seed, logits and history give the same tokens on every runtime: the arithmetic is that of
 * deterministic-math.ts, in an order fixed by the candidates alone.
 * @param seed - a whole number from 0 to 2^53 − 1.
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
      if (!options.logprobs) return { tokenId, logprob: undefined, topLogprobs: undefined };
      const logprobOf = logSoftmax(logits);
      const { topLogprobs: count } = options;
      return {
        tokenId,
        logprob: logprobOf(tokenId),
        topLogprobs: count === 0 ? undefined : top(logits, count, logprobOf),
      };
    },
  };

  function top(logits: Float32Array, count: number, logprobOf: (id: number) => number): TokenLogprob[] {
    candidates.takeLikeliest(logits, count);
    return Array.from({ length: candidates.count }, (_, index) => {
      const tokenId = candidates.id(index);
      return { tokenId, logprob: logprobOf(tokenId) };
    });
  }

  function pick(logits: Float32Array, among?: readonly number[]): number {
    return temperature === 0 ? likeliest(logits, among) : draw(logits, among);
  }

  /**
   * Where enough of the likeliest tokens are allowed, the others make no difference. That is so inside of strings, where most
   * of a vocabulary may follow, and walking through all of it would take longer than the model does.
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

  /** From the candidates, which are the likeliest, sorted. */
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
    if (candidates.count === 0) throw noCandidate();
    return drawWeighted();
  }

  /** Top-p over the whole vocabulary: takes ever more of the likeliest tokens until they have the probability. */
  function takeNucleus(logits: Float32Array): void {
    candidates.takeAll(logits);
    const total = totalWeight(candidates);
    const all = candidates.count;
    for (let limit = 64; ; limit *= 8) {
      candidates.takeLikeliest(logits, limit);
      const length = nucleusLength(candidates, total, topP);
      const least = candidates.logit(candidates.count - 1);
      // Once min-p leaves the last one out, it leaves out all that would come after it.
      const minPEnds = minP > 0 && exp(least - candidates.logit(0)) < minP;
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
    for (let index = 0; index < count; index++) {
      const difference = candidates.logit(index) - max;
      const kept = minP === 0 || exp(difference) >= minP;
      const weight = kept ? exp(difference / temperature) : 0;
      weights[index] = weight;
      total += weight;
    }
    const drawn = random.next() * total;
    let sum = 0;
    let last = 0;
    for (let index = 0; index < count; index++) {
      const weight = weights[index] ?? 0;
      if (weight === 0) continue;
      sum += weight;
      last = index;
      if (sum > drawn) break;
    }
    // Were the product rounded up to the total, the last one possible would be it.
    return candidates.id(last);
  }
}

/** @returns how many of the sorted candidates it takes to reach `share` of `total`; at least one. */
function nucleusLength(candidates: Candidates, total: number, share: number): number {
  const max = candidates.logit(0);
  const target = share * total;
  let sum = 0;
  for (let index = 0; index < candidates.count; index++) {
    sum += exp(candidates.logit(index) - max);
    if (sum >= target) return index + 1;
  }
  return candidates.count;
}

function totalWeight(candidates: Candidates): number {
  const max = highestLogit(candidates);
  let total = 0;
  for (let index = 0; index < candidates.count; index++) total += exp(candidates.logit(index) - max);
  return total;
}

function highestLogit(candidates: Candidates): number {
  let max = -Infinity;
  for (let index = 0; index < candidates.count; index++) {
    const logit = candidates.logit(index);
    if (logit > max) max = logit;
  }
  return max;
}

function likeliest(logits: Float32Array, among?: readonly number[]): number {
  let best = -1;
  let max = -Infinity;
  const count = among?.length ?? logits.length;
  for (let index = 0; index < count; index++) {
    const id = among?.[index] ?? index;
    const logit = bounded(logits[id] ?? 0);
    if (logit > max) {
      max = logit;
      best = id;
    }
  }
  if (best === -1) throw noCandidate();
  return best;
}

/** Biases and penalties; without any, the logits themselves. */
function createLogitAdjustment(
  options: SamplerOptions,
): (logits: Float32Array, history: ArrayLike<number>) => Float32Array {
  const { repeatPenalty, presencePenalty, frequencyPenalty, repeatLastN, logitBias } = options;
  const penalizes =
    repeatLastN !== 0 && (repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0);
  if (!penalizes && logitBias.size === 0) return (logits) => logits;

  let adjusted = new Float32Array(0);
  // How often each token is in the recent text; all zero between calls.
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
    for (let index = begin; index < history.length; index++) {
      const id = history[index] ?? 0;
      counts[id] = (counts[id] ?? 0) + 1;
    }
    for (let index = begin; index < history.length; index++) {
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

function noCandidate(): BitNetError {
  return new BitNetError(
    "MODEL_INVALID",
    "Cannot pick a token: the model gave no finite logit, or logitBias forbids every token",
  );
}
