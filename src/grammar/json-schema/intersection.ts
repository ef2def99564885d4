import type { Steps } from "../../text/slices.js";
import { type Automaton, createAutomaton, type State } from "../automaton.js";
import {
  byteOf,
  type ByteRange,
  choice,
  empty,
  type Expression,
  nothing,
  openRule,
  repeat,
  type Rule,
  sequence,
  use,
} from "../expression.js";
import { character } from "../json-text.js";
import { compileSteps } from "../program.js";

/** A condition on the characters of a string. Expressions here are regular: no rule contains itself. */
export interface Condition {
  readonly expression: Expression;
  /** The string must not fit. Its characters are spelled as by `JSON.stringify` in every condition. */
  readonly negated?: boolean;
}

/** Lengths in characters; `max` may be Infinity. */
export interface Lengths {
  readonly min: number;
  readonly max: number;
}

interface Point {
  readonly rule: Rule;
  readonly states: readonly (State | undefined)[];
  readonly length: number;
}

/** Limit of the combined states of one intersection. A real string needs some hundreds. */
const maxStates = 1 << 12;
/** Limit of the combined states of one schema. To follow them all takes about a tenth of a second. */
const maxStatesOfSchema = 1 << 13;
/** Less than a millisecond, unless the automata are large. */
const transitionsPerStep = 8;

/** Counts the combined states of one schema. */
export interface StateBudget {
  readonly used: number;
  /** @throws TooManyStatesError if the schema has too many. */
  use(states: number): void;
  /** As `use`. Equal restrictions count once. */
  useOnce(restriction: string, states: number): void;
}

export function createStateBudget(): StateBudget {
  let used = 0;
  const counted = new Set<string>();
  const budget: StateBudget = {
    get used(): number {
      return used;
    },
    use(states): void {
      used += states;
      if (used > maxStatesOfSchema) throw new TooManyStatesError();
    },
    useOnce(restriction, states): void {
      if (counted.has(restriction)) return;
      counted.add(restriction);
      budget.use(states);
    },
  };
  return budget;
}

/** The shortest texts that fit are too long to find. */
export class TooManyStatesError extends Error {
  constructor() {
    super("its restrictions together are too large: they need too many states");
  }
}

const anyLength: Lengths = { min: 0, max: Infinity };

/** An automaton that a text must fit, or must not fit. */
interface Side {
  readonly automaton: Automaton;
  readonly negated: boolean;
}

/** @returns undefined if nothing fits a condition. */
function* sidesOf(conditions: readonly Condition[]): Steps<readonly Side[] | undefined> {
  const sides: Side[] = [];
  for (const { expression, negated = false } of conditions) {
    const program = yield* compileSteps(expression);
    if (program === undefined && negated) continue;
    if (program === undefined) return undefined;
    sides.push({ automaton: createAutomaton(program), negated });
  }
  return sides;
}

/**
 * The texts that fit all conditions. The automata run in step. If that takes more than `maxStates` states,
 * the longest texts are missing. Each remaining text fits all conditions.
 *
 * @throws TooManyStatesError if no text remains, or if the schema has too many states.
 */
export function* intersection(
  conditions: readonly Condition[],
  budget: StateBudget,
  { min, max }: Lengths = anyLength,
): Steps<Expression> {
  const counts = min > 0 || max < Infinity;
  // The last automaton counts: it accepts at the end of each character.
  const counter: readonly Condition[] = counts ? [{ expression: repeat(character, 0, Infinity) }] : [];
  const sides = yield* sidesOf([...conditions, ...counter]);
  if (sides === undefined) return nothing;
  const bytes = distinctBytes(sides);
  const ids = new Map<State | undefined, number>([[undefined, 0]]);
  const idOf = (state: State | undefined): number => {
    const id = ids.get(state) ?? ids.size;
    ids.set(state, id);
    return id;
  };
  const points = new Map<string, Point>();

  function pointOf(states: readonly (State | undefined)[], length: number): Point | undefined {
    const key = `${states.map(idOf).join()},${length}`;
    const known = points.get(key);
    if (known !== undefined) return known;
    if (points.size >= maxStates) return undefined;
    budget.use(1);
    const point = { rule: openRule(), states, length };
    points.set(key, point);
    return point;
  }

  const start = pointOf(
    sides.map(({ automaton }) => automaton.start),
    0,
  );
  if (start === undefined) return nothing;
  let transitions = 0;
  // The loop also visits points that it adds: short texts first.
  for (const { rule, states, length } of points.values()) {
    const targets = new Map<Point, ByteRange[]>();
    for (const range of bytes) {
      transitions += 1;
      if (transitions % transitionsPerStep === 0) yield;
      const next = nextStates(sides, states, range[0]);
      if (next === undefined) continue;
      const complete = next.at(-1)?.accepting === true;
      const grown = counts && complete ? length + 1 : length;
      if (counts && (grown > max || (grown === max && !complete))) continue;
      const target = pointOf(next, max === Infinity ? Math.min(grown, min) : grown);
      if (target === undefined) continue;
      const ranges = targets.get(target);
      if (ranges === undefined) targets.set(target, [range]);
      else ranges.push(range);
    }
    const accepting =
      length >= min && states.every((state, index) => (state?.accepting === true) !== sides[index]?.negated);
    rule.body = choice(
      ...(accepting ? [empty] : []),
      ...[...targets].map(([target, ranges]) => sequence(byteOf(...ranges), use(target.rule))),
    );
  }
  const whole = use(start.rule);
  if (points.size >= maxStates && (yield* compileSteps(whole)) === undefined) throw new TooManyStatesError();
  return whole;
}

/** @returns undefined if no text fits after that byte. */
function nextStates(
  sides: readonly Side[],
  states: readonly (State | undefined)[],
  byte: number,
): readonly (State | undefined)[] | undefined {
  const next: (State | undefined)[] = [];
  for (const [index, { automaton, negated }] of sides.entries()) {
    const state = states[index];
    const after = state && automaton.next(state, byte);
    if (after === undefined && !negated) return undefined;
    next.push(after);
  }
  return next;
}

/** Whether a text fits all conditions. An automaton tests it, in time linear in the text. */
export function* createTester(conditions: readonly Condition[]): Steps<(text: string) => boolean> {
  const sides = yield* sidesOf(conditions);
  if (sides === undefined) return () => false;
  return (text) => {
    const bytes = new TextEncoder().encode(text);
    return sides.every(({ automaton, negated }) => {
      let state: State | undefined = automaton.start;
      for (const byte of bytes) state &&= automaton.next(state, byte);
      return (state?.accepting === true) !== negated;
    });
  };
}

/** At least the number of bytes of the longest text that fits. Rules count as endless. */
export function longest(expression: Expression): number {
  switch (expression.kind) {
    case "byte":
      return 1;
    case "text":
      return expression.bytes.length;
    case "sequence":
      return expression.parts.reduce((sum, part) => sum + longest(part), 0);
    case "choice":
      return Math.max(0, ...expression.options.map((option) => longest(option)));
    case "repeat":
      return expression.max === 0 ? 0 : Math.max(1, longest(expression.body)) * expression.max;
    case "rule":
      return Infinity;
  }
}

/** Ranges of bytes that no automaton distinguishes. */
function distinctBytes(sides: readonly Side[]): readonly ByteRange[] {
  const ranges: [number, number][] = [];
  for (let byte = 0; byte < 256; byte += 1) {
    const last = ranges.at(-1);
    const alike = sides.every(
      ({ automaton: { classOf } }) => byte > 0 && classOf[byte] === classOf[byte - 1],
    );
    if (last !== undefined && alike) last[1] = byte;
    else ranges.push([byte, byte]);
  }
  return ranges;
}
