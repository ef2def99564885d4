/** Parts of the work of each worker. Their sum is 1. */
export type Shares = readonly number[];

/** Decides how much of each pass every worker does. The results are the same bits. */
export interface ShareChoice {
  /** Of passes that generate tokens. */
  readonly shares: Shares;
  /**
   * Runs a pass and measures it.
   *
   * @param tokens tokens of the pass, at least 1.
   * @param pass runs it with these shares; undefined if worker 0 runs it alone.
   */
  run(tokens: number, pass: (shares: Shares) => Promise<"team" | "alone">): Promise<void>;
}

/**
 * Passes of prompts wait for arithmetic, and passes of a token for memory. Slow cores are slower in one than
 * in the other, so both have shares of their own.
 */
const kinds = {
  token: { passes: 16 },
  prompt: { passes: 4 },
};
const minPromptTokens = 32;
/** Workers whose times differ by less keep their shares: times differ by so much from moment to moment. */
const even = 1.1;
/** How far shares move towards those by which all workers would have been ready at once. */
const step = 0.7;
/** No worker gets less than this part of an equal share: it must be measured nevertheless. */
const least = 1 / 8;

/**
 * Cores of one processor can have several speeds, and other programs may use one of them. With equal shares,
 * all workers wait for the slowest one. So workers measure how long they are busy, without their waits for
 * each other, and the shares follow.
 *
 * @param options.busy the milliseconds that each worker was busy in the pass before the one that has ended.
 * @param options.fixed shares that never change; their sum may be any number. Default: measured ones.
 */
export function createShareChoice(options: {
  readonly workers: number;
  readonly busy: () => readonly number[];
  readonly fixed?: Shares | undefined;
}): ShareChoice {
  const { workers, busy, fixed } = options;
  const equal = Array.from({ length: workers }, () => 1 / workers);
  const start = fixed === undefined ? equal : normalized(fixed);
  const learners = { token: createLearner(start, kinds.token), prompt: createLearner(start, kinds.prompt) };
  const isFixed = workers === 1 || fixed !== undefined;
  /** The learner of the pass before. Undefined if its times say nothing. */
  let last: Learner | undefined;
  let running = 0;

  return {
    get shares() {
      return learners.token.shares;
    },
    async run(tokens, pass): Promise<void> {
      const learner = learners[tokens < minPromptTokens ? "token" : "prompt"];
      running += 1;
      // Passes run one after another. With a second one under way, times may be those of either.
      const isAlone = running === 1;
      try {
        const who = await pass(learner.shares);
        if (isFixed) return;
        const isMeasured = isAlone && running === 1 && who === "team";
        if (isMeasured) last?.report(busy());
        last = isMeasured ? learner : undefined;
      } finally {
        running -= 1;
      }
    },
  };
}

/** Learns the shares of passes of one kind. */
interface Learner {
  readonly shares: Shares;
  /** @param milliseconds that each worker was busy in a pass. */
  report(milliseconds: readonly number[]): void;
}

function createLearner(start: Shares, { passes }: { readonly passes: number }): Learner {
  let shares = start;
  let sums = start.map(() => 0);
  /** Passes since the last change. The first one may still have had the shares before. */
  let count = -1;

  function change(): void {
    const slowest = Math.max(...sums);
    const fastest = Math.min(...sums);
    if (slowest > fastest * even) {
      const speeds = normalized(shares.map((part, i) => part / (sums[i] ?? 1)));
      const floor = least / shares.length;
      shares = normalized(
        shares.map((part, i) => Math.max(floor, part + step * ((speeds[i] ?? part) - part))),
      );
    }
    sums = shares.map(() => 0);
    count = -1;
  }

  return {
    get shares() {
      return shares;
    },
    report(milliseconds): void {
      if (milliseconds.length !== shares.length || milliseconds.some((each) => !(each > 0))) return;
      count += 1;
      if (count === 0) return;
      sums = sums.map((sum, i) => sum + (milliseconds[i] ?? 0));
      if (count === passes) change();
    },
  };
}

function normalized(parts: readonly number[]): Shares {
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}
