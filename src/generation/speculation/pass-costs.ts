/** What passes of several tokens have cost of late, in passes of one token. Says how to compute, never what. */
export interface PassCosts {
  /** A pass over so many tokens, at least 1; a guess until one has been seen. */
  of(tokens: number): number;
  record(tokens: number, milliseconds: number): void;
}

/**
 * Passes are limited by the memory that weights are read from, where more tokens cost little, or by arithmetic, where they
 * cost as much as passes of their own. The guess is at the hopeful end, so that it is put to the test.
 */
function guess(tokens: number): number {
  return 1 + (tokens - 1) * 0.4;
}

/** Of a new measurement, the part that counts. */
const weight = 0.25;
/** How fast an old measurement becomes a guess again, per pass: a busy moment of the machine is forgotten after some hundred. */
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
        // Whatever the clock says: it is no cheaper than one token, and no dearer than one by one.
        const seen = Math.min(tokens, Math.max(1, milliseconds / singleMs));
        const before = ratios.get(tokens);
        ratios.set(tokens, before === undefined ? seen : before + (seen - before) * weight);
      }
    },
  };
}
