import type { Automaton, State } from "./automaton.js";
import { categoryOf, letters, wide, wideCharacters } from "./byte-categories.js";

/** Characters that may follow a state in any order, such as the letters inside of a string. */
export interface Run {
  /** Categories of bytes. Every byte of them may follow. */
  readonly categories: number;
  /** The number of such characters that may follow one another. */
  readonly length: number;
  /** As `length`, if characters past U+007F are among them. */
  wideLength(): number;
}

/** Longer runs count as this long. Few tokens are longer, and each character costs a state. */
const maxLength = 16;
const maxWideLength = 6;

/** The effect of one character. */
interface Step {
  /** Every character of these categories leads to `next`. */
  readonly categories: number;
  readonly next: State | undefined;
  /** Whether every character past U+007F leads to `next`. Undefined until it is needed. */
  wide: boolean | undefined;
}

const none: Run = { categories: 0, length: 0, wideLength: () => 0 };

/**
 * Finds runs. A string of bounded length has another state after each character, and most tokens of a
 * vocabulary may follow in each of them. With runs, nobody reads all these tokens.
 */
export function createRuns(automaton: Automaton): (state: State) => Run {
  const { classOf } = automaton;
  const steps = new WeakMap<State, Step>();
  const runs = new WeakMap<State, Run>();
  /** One byte of each class, for each category. */
  const samples = new Map<number, readonly number[]>();
  for (let byte = 0; byte < 0x80; byte += 1) {
    const category = categoryOf(byte);
    const known = samples.get(category) ?? [];
    if (!known.some((each) => classOf[each] === classOf[byte])) samples.set(category, [...known, byte]);
  }
  const letterBytes = [...samples].flatMap(([category, bytes]) => (letters & category ? bytes : []));
  const wideForms = wideCharacters.map((form) => form.map(([first, last]) => oneOfEachClass(first, last)));

  function oneOfEachClass(first: number, last: number): readonly number[] {
    const found = new Map<number | undefined, number>();
    for (let byte = first; byte <= last; byte += 1) found.set(classOf[byte], byte);
    return [...found.values()];
  }

  function stepOf(state: State): Step {
    const known = steps.get(state);
    if (known !== undefined) return known;
    let next: State | undefined;
    for (const byte of letterBytes) next ??= automaton.next(state, byte);
    let categories = 0;
    if (next !== undefined) {
      for (const [category, bytes] of samples)
        if (bytes.every((byte) => automaton.next(state, byte) === next)) categories |= category;
    }
    const step: Step = { categories, next, wide: undefined };
    steps.set(state, step);
    return step;
  }

  /** Whether every character past U+007F leads from `state` to `to`. */
  function takesWide(state: State, to: State): boolean {
    return wideForms.every((form) => {
      let states = new Set([state]);
      for (const bytes of form) {
        const after = new Set<State>();
        for (const each of states)
          for (const byte of bytes) {
            const next = automaton.next(each, byte);
            if (next === undefined) return false;
            after.add(next);
          }
        states = after;
      }
      return states.size === 1 && states.has(to);
    });
  }

  function lengthFrom(state: State, most: number, continues: (state: State, step: Step) => boolean): number {
    let at: State | undefined = state;
    for (let length = 0; length < most; length += 1) {
      const step: Step = stepOf(at);
      if (step.next === undefined || !continues(at, step)) return length;
      // It repeats itself forever.
      if (step.next === at) return Infinity;
      at = step.next;
    }
    return most;
  }

  return (state) => {
    const known = runs.get(state);
    if (known !== undefined) return known;
    const { categories } = stepOf(state);
    let run = none;
    if (categories !== 0) {
      const holds = (step: Step): boolean => (categories & ~step.categories) === 0;
      let wideLength: number | undefined;
      run = {
        categories: categories | wide,
        length: lengthFrom(state, maxLength, (_, step) => holds(step)),
        wideLength: () =>
          (wideLength ??= lengthFrom(state, maxWideLength, (at, step) => {
            if (!holds(step) || step.next === undefined) return false;
            step.wide ??= takesWide(at, step.next);
            return step.wide;
          })),
      };
    }
    runs.set(state, run);
    return run;
  };
}
