/** Worker 0 alone, or the whole team. */
export type PassWorkers = "alone" | "team";

/** Decides who runs each pass. The results are the same bits. */
export interface PassChoice {
  /**
   * Runs a pass and measures it.
   *
   * @param tokens tokens of the pass, at least 1.
   */
  run(tokens: number, pass: (workers: PassWorkers) => Promise<void>): Promise<void>;
}

/**
 * Larger models are never tried alone. On two idle cores, two workers write 2.1 times the tokens of one at
 * 75 MB, and as many at 6 MB. With both cores busy, one worker wrote 3 times as many at 6 MB.
 */
const maxAloneBytes = 128e6;
/** Passes of more tokens have enough work for all workers. */
const maxAloneTokens = 8;
/** At first both take turns, for so many passes. */
const firstPasses = 24;
/** The last passes of each count, if there are enough. */
const [minSamples, maxSamples] = [3, 15];
/** After a change, the other is tried again after so few passes, then after twice as many, … */
const wait = { min: 4, max: 64 };
/** The other must take less than this part of the time to be chosen. */
const worthwhile = 0.92;

/**
 * More threads can be slower than one: the barriers of a small model take as long as its matmuls, and on a
 * busy machine workers wait for each other. So small models measure both ways while they run, for each size
 * of a pass, and try the other way from time to time.
 *
 * @param options.bytesPerToken bytes that a pass of one token reads.
 * @param options.now a clock in milliseconds. Default: performance.now.
 */
export function createPassChoice(options: {
  readonly workers: number;
  readonly bytesPerToken: number;
  readonly now?: () => number;
}): PassChoice {
  const { workers, bytesPerToken, now = () => performance.now() } = options;
  if (workers === 1 || bytesPerToken > maxAloneBytes) return { run: (_, pass) => pass("team") };
  const sizes = new Map<number, Learner>();

  function learnerOf(tokens: number): Learner {
    const known = sizes.get(tokens);
    if (known !== undefined) return known;
    const made = createLearner();
    sizes.set(tokens, made);
    return made;
  }

  return {
    async run(tokens, pass): Promise<void> {
      if (tokens > maxAloneTokens) return pass("team");
      const learner = learnerOf(tokens);
      const chosen = learner.next();
      const begun = now();
      await pass(chosen);
      learner.report(chosen, now() - begun);
    },
  };
}

/** Learns who is faster at passes of one size. */
interface Learner {
  next(): PassWorkers;
  report(workers: PassWorkers, milliseconds: number): void;
}

function createLearner(): Learner {
  const times: Record<PassWorkers, number[]> = { alone: [], team: [] };
  let passes = 0;
  let preferred: PassWorkers = "team";
  let waiting = wait.min;
  let nextTry = firstPasses + waiting;
  const other = (): PassWorkers => (preferred === "team" ? "alone" : "team");

  /** A time below the median: passes are late for many reasons, and early for none. */
  function typical(workers: PassWorkers): number {
    const sorted = times[workers].toSorted((a, b) => a - b);
    return sorted.length < minSamples ? Infinity : (sorted[Math.floor(sorted.length / 3)] ?? Infinity);
  }

  function decide(): void {
    if (typical(other()) >= typical(preferred) * worthwhile) return;
    // The one that is left begins anew, so that a row of late passes does not count for long.
    times[preferred] = [];
    preferred = other();
    waiting = wait.min;
    nextTry = passes + waiting;
  }

  return {
    next(): PassWorkers {
      passes += 1;
      if (passes <= firstPasses) return passes % 2 === 0 ? "alone" : "team";
      if (passes < nextTry) return preferred;
      waiting = Math.min(2 * waiting, wait.max);
      nextTry = passes + waiting;
      return other();
    },
    report(workers, milliseconds): void {
      times[workers].push(milliseconds);
      if (times[workers].length > maxSamples) times[workers].shift();
      if (passes >= firstPasses) decide();
    },
  };
}
