import { type Automaton, createAutomaton, type State } from "./automaton.js";
import {
  byteOf,
  type ByteRange,
  choice,
  empty,
  type Expression,
  nothing,
  openRule,
  type Rule,
  sequence,
  use,
} from "./expression.js";
import { compileExpression } from "./program.js";

/**
 * Limit of the combined states of one schema. A real one needs some hundreds. To follow them all takes about
 * a tenth of a second, and no other request is answered meanwhile.
 */
const maxStates = 8192;
let statesLeft = maxStates;

/** Runs a function whose intersections share one limit of states. */
export function limitStates<T>(run: () => T): T {
  statesLeft = maxStates;
  try {
    return run();
  } finally {
    statesLeft = maxStates;
  }
}

function countState(): void {
  statesLeft -= 1;
  if (statesLeft < 0) throw new Error("its restrictions together are too large");
}

/**
 * The texts that fit all of several expressions. The result has one rule for each combination of their
 * states.
 *
 * @param expressions without rules that use themselves, other than at their end.
 * @throws Error if there are too many combinations.
 */
export function intersection(...expressions: readonly Expression[]): Expression {
  const programs = expressions.map(compileExpression);
  if (programs.some((program) => program === undefined)) return nothing;
  const automata = programs.flatMap((program) => (program === undefined ? [] : [createAutomaton(program)]));
  const ids = new Map<State, number>();
  const idOf = (state: State): number => {
    const known = ids.get(state) ?? ids.size;
    ids.set(state, known);
    return known;
  };
  const rules = new Map<string, Rule>();
  const queue: { readonly rule: Rule; readonly states: readonly State[] }[] = [];

  function ruleOf(states: readonly State[]): Rule {
    const key = states.map(idOf).join();
    const known = rules.get(key);
    if (known !== undefined) return known;
    countState();
    const rule = openRule();
    rules.set(key, rule);
    queue.push({ rule, states });
    return rule;
  }

  const classes = byteClassesOf(automata);
  const start = ruleOf(automata.map((automaton) => automaton.start));
  // The loop also visits the entries that it adds.
  for (const { rule, states } of queue) {
    const ranges = new Map<Rule, ByteRange[]>();
    for (const { first, bytes } of classes) {
      const after: State[] = [];
      for (const [index, automaton] of automata.entries()) {
        const state = states[index];
        const next = state && automaton.next(state, first);
        if (next === undefined) break;
        after.push(next);
      }
      if (after.length < automata.length) continue;
      const next = ruleOf(after);
      ranges.set(next, [...(ranges.get(next) ?? []), ...bytes]);
    }
    const options = [...ranges].map(([next, bytes]) => sequence(byteOf(...bytes), use(next)));
    rule.body = choice(...(states.every(({ accepting }) => accepting) ? [empty] : []), ...options);
  }
  return use(start);
}

/** Bytes that no automaton tells apart. */
interface ByteClass {
  readonly first: number;
  readonly bytes: readonly ByteRange[];
}

function byteClassesOf(automata: readonly Automaton[]): readonly ByteClass[] {
  const found = new Map<string, { first: number; bytes: ByteRange[] }>();
  for (let byte = 0; byte < 256; byte += 1) {
    const key = automata.map(({ classOf }) => classOf[byte]).join();
    const known = found.get(key);
    const last = known?.bytes.at(-1);
    if (known === undefined) found.set(key, { first: byte, bytes: [[byte, byte]] });
    else if (last?.[1] === byte - 1) known.bytes[known.bytes.length - 1] = [last[0], byte];
    else known.bytes.push([byte, byte]);
  }
  return [...found.values()];
}

/** The lengths in bytes of the texts that fit an expression. */
export interface ByteLengths {
  readonly min: number;
  /** Infinity if there is no limit, or if there are too many states to know. */
  readonly max: number;
  /** Whether some text has a byte past ASCII, or a backslash. */
  readonly hasLongCharacters: boolean;
}

export function byteLengths(expression: Expression): ByteLengths {
  const program = compileExpression(expression);
  if (program === undefined) return { min: 0, max: 0, hasLongCharacters: false };
  const automaton = createAutomaton(program);
  const classes = byteClassesOf([automaton]);
  let level = new Set([automaton.start]);
  let [min, max, hasLongCharacters] = [Infinity, 0, false];
  for (let length = 0; level.size > 0; length += 1) {
    if (length > maxStates || level.size > maxStates)
      return { min: Math.min(min, length), max: Infinity, hasLongCharacters: true };
    const next = new Set<State>();
    for (const state of level) {
      if (state.accepting) [min, max] = [Math.min(min, length), length];
      if (!state.open) continue;
      for (const { first, bytes } of classes) {
        const after = automaton.next(state, first);
        if (after === undefined) continue;
        next.add(after);
        hasLongCharacters ||= bytes.some(([from, to]) => to >= 0x80 || (from <= 0x5c && to >= 0x5c));
      }
    }
    level = next;
  }
  return { min, max, hasLongCharacters };
}
