import type { PassForm, TimedForm } from "../wasm/choose-matmul.js";
import type { DotForm } from "../wasm/dot-forms.js";

/** Times of forms, relative to the fastest one, which has 1. */
export type FormTimes<F extends PassForm = DotForm> = Readonly<Partial<Record<F, number>>>;

/** Decides how the matmuls of each pass run. The results are the same bits. */
export interface FormChoice {
  /** The form of passes that generate a token. */
  readonly form: DotForm;
  /** By passes that generate a token; before the first look at them, by the self-test at load. */
  readonly times: FormTimes;
  /** By passes of prompts; before the first look at them, the one in use alone. */
  readonly promptTimes: FormTimes<PassForm>;
  /**
   * Runs a pass and measures it.
   *
   * @param tokens tokens of the pass, at least 1.
   */
  run(tokens: number, pass: (form: PassForm) => Promise<void>): Promise<void>;
}

/** How the passes of one kind are looked at. */
interface LookSettings {
  /** Number of passes before the first look: the engine may still be optimising. */
  readonly first: number;
  /** Passes of each form in a look. */
  readonly rounds: number;
}

/** Passes that generate a token wait for memory. Passes of a prompt are long, and wait for arithmetic. */
const looks = {
  token: { first: 24, rounds: 5 },
  prompt: { first: 4, rounds: 3 },
};
/** Shorter passes of several tokens are not measured: their times per token vary too much. */
const minPromptTokens = 32;
/** Another form must take less than this part of the time, in two looks in a row. */
const worthwhile = 0.92;
/** Passes that take so much longer than in the last look are a reason for another one. */
const slow = 1.3;
/** Number of passes that show whether they are slow. */
const recentPasses = 15;
/** Least number of passes between two looks: it doubles with each look. */
const firstWait = 64;
/** So many looks come without a reason. In one look, all passes of the best form can be late. */
const plannedLooks = 2;

/**
 * The self-test at load is short, and other programs may disturb it. A wrong form cost half of the speed of a
 * process for its whole life. So real passes try the forms in turns: twice when the model is warm, and again
 * when passes become slow.
 *
 * Prompts begin with lookup tables where they work, and try only the form of the self-test beside them: a
 * pass of a slow form takes a second. If that form is faster, all forms are tried from then on.
 *
 * @param options.timed correct forms and their times at load in milliseconds, the chosen one first.
 * @param options.lookup whether lookup tables work. Default: false.
 * @param options.now a clock in milliseconds. Default: performance.now.
 */
export function createFormChoice(options: {
  readonly timed: readonly [TimedForm, ...TimedForm[]];
  readonly lookup?: boolean;
  readonly now?: () => number;
}): FormChoice {
  const { timed, lookup = false, now = () => performance.now() } = options;
  const forms = timed.map(({ form }) => form);
  const [{ form: chosen }] = timed;
  const token = createLearner(forms, chosen, looks.token);
  let prompt = lookup
    ? createLearner<PassForm>(["lookup", chosen], "lookup", looks.prompt)
    : createLearner<PassForm>(forms, chosen, looks.prompt);
  let triesLookup = lookup;
  const atLoad = relative(new Map(timed.map(({ form, milliseconds }) => [form, milliseconds])));
  let running = 0;

  return {
    get form() {
      return token.preferred;
    },
    get times() {
      return token.times ?? atLoad;
    },
    get promptTimes() {
      return prompt.times ?? { [prompt.preferred]: 1 };
    },
    async run(tokens, pass): Promise<void> {
      const learner: Learner<PassForm> = tokens === 1 ? token : prompt;
      // Passes run one after another, so the time of a second one would contain its wait.
      const isMeasured = learner.choices > 1 && running === 0 && (tokens === 1 || tokens >= minPromptTokens);
      running += 1;
      try {
        if (!isMeasured) {
          await pass(learner.preferred);
          return;
        }
        const form = learner.next();
        const begun = now();
        await pass(form);
        learner.report(form, (now() - begun) / tokens);
        if (triesLookup && prompt.preferred !== "lookup") {
          triesLookup = false;
          prompt = createLearner<PassForm>(forms, chosen, looks.prompt);
        }
      } finally {
        running -= 1;
      }
    },
  };
}

/** Learns which form is the fastest in passes of one kind. */
interface Learner<F extends PassForm> {
  readonly preferred: F;
  /** Number of forms. */
  readonly choices: number;
  /** Of the last look. Undefined before the first one. */
  readonly times: FormTimes<F> | undefined;
  next(): F;
  report(form: PassForm, milliseconds: number): void;
}

function createLearner<F extends PassForm>(
  forms: readonly F[],
  chosen: F,
  { first, rounds }: LookSettings,
): Learner<F> {
  let preferred = chosen;
  /** The form that won the last look, if it waits for a second one. */
  let candidate: F | undefined;
  let passes = 0;
  let wait = firstWait;
  let mayLookAt = first;
  /** Forms of the next passes of a look. */
  let plan: F[] = [];
  let shortest = new Map<PassForm, number>();
  /** Number of looks that have ended. */
  let ended = 0;
  /** Milliseconds of a pass by the last look. */
  let expected = Infinity;
  let recent: number[] = [];
  let times: FormTimes<F> | undefined;

  function beginLook(): void {
    shortest = new Map();
    // In alternating order, since passes become slower with their position.
    plan = Array.from({ length: rounds }, (_, round) =>
      round % 2 === 0 ? forms : forms.toReversed(),
    ).flat();
  }

  function isDue(): boolean {
    if (passes < mayLookAt) return false;
    if (ended < plannedLooks) return true;
    if (recent.length < recentPasses) return false;
    const typical = recent.toSorted((a, b) => a - b)[Math.floor(recentPasses / 3)] ?? 0;
    return typical > expected * slow;
  }

  /** Passes are late for many reasons, and early for none. So the shortest time of a form counts. */
  function endLook(): void {
    const timeOf = (form: F): number => shortest.get(form) ?? Infinity;
    const best = forms.reduce((a, b) => (timeOf(b) < timeOf(a) ? b : a));
    times = relative(shortest);
    if (best !== preferred && timeOf(best) < timeOf(preferred) * worthwhile) {
      if (best !== candidate) {
        candidate = best;
        beginLook();
        return;
      }
      preferred = best;
    }
    candidate = undefined;
    ended += 1;
    expected = timeOf(preferred);
    recent = [];
    mayLookAt = passes + wait;
    wait *= 2;
  }

  return {
    choices: forms.length,
    get preferred() {
      return preferred;
    },
    get times() {
      return times;
    },
    next(): F {
      passes += 1;
      if (plan.length === 0 && isDue()) beginLook();
      return plan[0] ?? preferred;
    },
    report(form, milliseconds): void {
      if (plan.length > 0) {
        plan.shift();
        shortest.set(form, Math.min(milliseconds, shortest.get(form) ?? Infinity));
        if (plan.length === 0) endLook();
        return;
      }
      recent.push(milliseconds);
      if (recent.length > recentPasses) recent.shift();
    },
  };
}

function relative<F extends PassForm>(milliseconds: ReadonlyMap<PassForm, number>): FormTimes<F> {
  const fastest = Math.min(...milliseconds.values());
  return Object.fromEntries(
    [...milliseconds].map(([form, each]) => [form, fastest > 0 ? each / fastest : 1]),
  ) as FormTimes<F>;
}
