/**
 * Recent times of passes of several tokens, relative to a pass of one token. They affect speed, never
 * results.
 */
export interface PassCosts {
  /** Cost of a pass of `tokens` tokens, at least 1; a guess until one is measured. */
  of(tokens: number): number;
  record(tokens: number, milliseconds: number): void;
}

/**
 * If memory bandwidth limits a pass, more tokens cost little; if arithmetic limits it, they cost as much as
 * separate passes. The guess is optimistic, so that such passes are tried and measured.
 */
function guess(tokens: number): number {
  return 1 + (tokens - 1) * 0.4;
}

/** Weight of a new measurement in the moving average. */
const weight = 0.25;
/**
 * Decay of a measurement towards the guess, per pass: some hundred passes forget a busy moment of the
 * machine.
 */
const forgetting = 0.003;

export function createPassCosts(): PassCosts {
  let singleMs = 0;
  let singles = 0;
  const ratios = new Map<number, number>();
  return {
    of: (tokens) => (tokens === 1 ? 1 : (ratios.get(tokens) ?? guess(tokens))),
    record(tokens, milliseconds): void {
      for (const [count, ratio] of ratios) ratios.set(count, ratio + (guess(count) - ratio) * forgetting);
      if (tokens === 1) {
        singles += 1;
        // Interruptions only ever make a pass slower.
        const seen = singles === 1 ? milliseconds : Math.min(milliseconds, 2 * singleMs);
        singleMs += (seen - singleMs) * Math.max(weight / 2, 1 / singles);
      } else if (singles > 0) {
        // A limit on noise: a pass takes at least as long as one token, and at most as long as its tokens one
        // by one.
        const seen = Math.min(tokens, Math.max(1, milliseconds / singleMs));
        const before = ratios.get(tokens);
        ratios.set(tokens, before === undefined ? seen : before + (seen - before) * weight);
      }
    },
  };
}
