import type { PassCosts } from "./pass-costs.js";
import { findRepeat, type Repeat } from "./repeats.js";

/** Guesses how a text goes on, where it repeats itself, so that several tokens can be checked in one pass. */
export interface Speculator {
  /**
   * The tokens that are likely to come next and worth checking: at most `most`, often none. Overwritten by the next call.
   */
  draft(history: readonly number[], most: number): readonly number[];
  /** To be told every token that is written: how drafts would have fared is learnt from all. */
  learn(history: readonly number[], tokenId: number): void;
}

/** Matches of this many tokens and more are taken for equally reliable: beyond it, acceptance no longer grows. */
const longestMatch = 10;
/** Sizes of passes that are considered: few, so that the cost of each is soon known; kernels like multiples of four. */
const passTokens = [2, 4, 8, 16] as const;
/** A pass must promise this many times the tokens per time of plain decoding: estimates are not better than that. */
const worthwhile = 1.1;
/** Drafted tokens in a pass whatever it costs. */
const fixedDraft = 7;
/** How many tokens the first guess of a chance counts for, and how fast older ones are forgotten. */
const guessWeight = 3;
const forgetting = 0.96;

/**
 * Prompt lookup: where the last tokens have occurred before, what came then is the draft.
 *
 * How likely a drafted token is right depends on how many tokens match before it: measured on the embedded model's greedy
 * text, 0.43 after one token, 0.65 after two, 0.8 after three, 0.9 from four on; on human prose 0.1, 0.2, 0.4 and 0.5. So
 * the chances are learnt by length of the match, also from tokens that were not drafted.
 *
 * @param mode "auto" drafts what promises to be faster than one token after another; "always", whatever it costs.
 */
export function createSpeculator(mode: "auto" | "always", costs: PassCosts): Speculator {
  const drafted: number[] = [];
  const repeat: Repeat = { at: 0, length: 0 };
  /** By tokens that match: how often the next was the same, and how often it could have been. */
  const right = new Float64Array(longestMatch + 1);
  const seen = new Float64Array(longestMatch + 1);
  for (let length = 1; length <= longestMatch; length += 1) {
    right[length] = guessWeight * (1 - 0.9 * 0.85 ** length);
    seen[length] = guessWeight;
  }

  function chance(matching: number): number {
    const length = Math.min(matching, longestMatch);
    return (right[length] ?? 0) / (seen[length] ?? 1);
  }

  /** The most profitable number of tokens to draft, each likely only if those before it are right. */
  function profitableDraft(most: number): number {
    let best = 0;
    let bestGain = worthwhile;
    let expected = 1;
    let likely = 1;
    let count = 0;
    for (const tokens of passTokens) {
      if (tokens - 1 > most) break;
      for (; count < tokens - 1; count += 1) {
        likely *= chance(repeat.length + count);
        expected += likely;
      }
      const gain = expected / costs.of(tokens);
      if (gain > bestGain) [best, bestGain] = [count, gain];
    }
    return best;
  }

  return {
    draft(history, most): readonly number[] {
      drafted.length = 0;
      findRepeat(history, longestMatch, repeat);
      if (repeat.length === 0 || most <= 0) return drafted;
      const count = mode === "always" ? Math.min(most, fixedDraft) : profitableDraft(most);
      for (let from = repeat.at + 1; drafted.length < count; from += 1) {
        // Where the match runs into the end of the text, the text goes round.
        drafted.push((from < history.length ? history[from] : drafted[from - history.length]) ?? 0);
      }
      return drafted;
    },
    learn(history, tokenId): void {
      if (repeat.length === 0) return;
      const length = Math.min(repeat.length, longestMatch);
      const isRight = history[repeat.at + 1] === tokenId;
      right[length] = (right[length] ?? 0) * forgetting + (isRight ? 1 : 0);
      seen[length] = (seen[length] ?? 0) * forgetting + 1;
      repeat.at += 1;
      repeat.length = isRight ? repeat.length + 1 : 0;
    },
  };
}
