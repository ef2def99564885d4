import type { Program } from "./program.js";

/** How far a text has come. */
export interface State {
  /** Whether the text may end here. */
  readonly accepting: boolean;
  /** Whether any byte may follow. */
  readonly open: boolean;
}

/** Reads a text byte by byte. */
export interface Automaton {
  readonly start: State;
  /** @returns undefined if no text that fits goes on by that byte. */
  next(state: State, byte: number): State | undefined;
}

/** Where to go on after returns. */
interface Frame {
  readonly id: number;
  readonly next: number;
  readonly caller: Frame | undefined;
  readonly callees: Map<number, Frame>;
}

/** One of the ways to read a text so far: it waits at an instruction that takes a byte. */
interface Thread {
  readonly at: number;
  readonly frame: Frame;
}

interface InnerState extends State {
  readonly threads: readonly Thread[];
  /** The state after a byte of each class: null where there is none, undefined where nobody has asked. */
  readonly after: (InnerState | null | undefined)[];
}

/**
 * A text can often be read in several ways, and a schema that is made for it has twice as many after each byte. Those past
 * this number are given up: what is left still fits, only not everything that fits is left.
 */
const mostThreads = 2048;
const mostSteps = 1 << 16;
/** States and frames that are kept, for whoever comes there again. */
const mostKept = 1 << 14;

/** Runs a program over all ways to read a text at once. States are made when they are first met. */
export function createAutomaton({ code, start }: Program): Automaton {
  const { classOf, classes } = byteClasses(code);
  let states = new Map<string, InnerState>();
  /** Never used twice: threads with old frames live on beside new ones. */
  let lastId = 0;
  let kept = 0;
  const root: Frame = { id: lastId, next: -1, caller: undefined, callees: new Map() };

  function push(frame: Frame, next: number): Frame {
    let callee = frame.callees.get(next);
    if (callee === undefined) {
      lastId += 1;
      kept += 1;
      callee = { id: lastId, next, caller: frame, callees: new Map() };
      frame.callees.set(next, callee);
    }
    return callee;
  }

  /** Follows everything that takes no byte. */
  function settle(threads: Thread[]): InnerState | null {
    const waiting = new Map<number, Thread>();
    const seen = new Set<number>();
    let accepting = false;
    // A stack: the ways that are listed first are followed first, and are kept if it comes to that.
    const open = threads.reverse();
    for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
      const { at, frame } = thread;
      const key = frame.id * code.length + at;
      if (seen.has(key)) continue;
      seen.add(key);
      if (waiting.size >= mostThreads || seen.size > mostSteps) break;
      const instruction = code[at];
      if (instruction === undefined) continue;
      if (instruction.op === "byte") waiting.set(key, thread);
      else if (instruction.op === "fork") {
        for (const target of instruction.targets.toReversed()) open.push({ at: target, frame });
      } else if (instruction.op === "call") {
        open.push({ at: instruction.target, frame: push(frame, instruction.next) });
      } else if (frame.caller === undefined) accepting = true;
      else open.push({ at: frame.next, frame: frame.caller });
    }
    if (waiting.size === 0 && !accepting) return null;
    return intern([...waiting.keys()].sort((a, b) => a - b).join(), accepting, [...waiting.values()]);
  }

  function intern(waiting: string, accepting: boolean, threads: readonly Thread[]): InnerState {
    const key = `${waiting}/${accepting}`;
    const known = states.get(key);
    if (known !== undefined) return known;
    if (states.size >= mostKept || kept >= 4 * mostKept) {
      // Those in use stay with whoever uses them.
      states = new Map();
      root.callees.clear();
      kept = 0;
    }
    const after = new Array<InnerState | null | undefined>(classes).fill(undefined);
    const state = { accepting, open: threads.length > 0, threads, after };
    states.set(key, state);
    return state;
  }

  const startState = settle([{ at: start, frame: root }]);
  if (startState === null) throw new RangeError("a program that nothing fits");

  return {
    start: startState,
    next(state, byte): State | undefined {
      const from = state as InnerState;
      const index = classOf[byte] ?? 0;
      let to = from.after[index];
      if (to === undefined) {
        const threads: Thread[] = [];
        for (const { at, frame } of from.threads) {
          const instruction = code[at];
          if (instruction?.op !== "byte") continue;
          if (instruction.ranges.some(([first, last]) => byte >= first && byte <= last))
            threads.push({ at: instruction.next, frame });
        }
        to = threads.length === 0 ? null : settle(threads);
        from.after[index] = to;
      }
      return to ?? undefined;
    },
  };
}

/** Bytes that no instruction tells apart are of one class. */
function byteClasses(code: Program["code"]): { readonly classOf: Uint8Array; readonly classes: number } {
  const begins = new Uint8Array(257);
  for (const instruction of code) {
    if (instruction.op !== "byte") continue;
    for (const [first, last] of instruction.ranges) begins[first] = begins[last + 1] = 1;
  }
  const classOf = new Uint8Array(256);
  let classes = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    if (byte > 0 && begins[byte] === 1) classes += 1;
    classOf[byte] = classes;
  }
  return { classOf, classes: classes + 1 };
}
