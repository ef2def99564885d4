import type { Program } from "./program.js";

/** A state of a text that is read byte by byte. */
export interface State {
  /** Whether the text may end here. */
  readonly accepting: boolean;
  /** Whether any byte may follow. */
  readonly open: boolean;
}

/** Reads a text byte by byte. */
export interface Automaton {
  readonly start: State;
  /** The class of each byte: bytes of one class lead to the same states. */
  readonly classOf: Uint8Array;
  /** @returns undefined if that byte cannot follow. */
  next(state: State, byte: number): State | undefined;
}

/** A stack frame: `next` is the instruction after the return. */
interface Frame {
  readonly id: number;
  readonly next: number;
  readonly caller: Frame | undefined;
  readonly callees: Map<number, Frame>;
}

/** One way to read the text so far. It waits at an instruction that takes a byte. */
interface Thread {
  readonly at: number;
  readonly frame: Frame;
}

interface InnerState extends State {
  readonly threads: readonly Thread[];
  /** The state after a byte of each class: null if there is none, undefined until it is needed. */
  readonly after: (InnerState | null | undefined)[];
}

/**
 * Limit of the ways to read one text. A hostile schema can double them with each byte. Further ways are
 * dropped: the text still fits the grammar, but not every text that fits remains possible.
 */
const maxThreads = 2048;
const maxSteps = 1 << 16;
/** Limit of the cached states and frames. */
const maxKept = 1 << 14;

/** Follows all ways to read a text at once. States are built at their first use. */
export function createAutomaton({ code, start, begins }: Program): Automaton {
  const { classOf, classes } = byteClasses(begins);
  let states = new Map<string, InnerState>();
  /** Ids are never reused: threads with old frames coexist with new ones. */
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

  /** Follows all instructions that take no byte. */
  function settle(threads: Thread[]): InnerState | null {
    const waiting = new Map<number, Thread>();
    const seen = new Set<number>();
    let accepting = false;
    // A stack: the first listed ways are followed first, so the limit drops the last ones.
    const open = threads.reverse();
    for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
      const { at, frame } = thread;
      const key = frame.id * code.length + at;
      if (seen.has(key)) continue;
      seen.add(key);
      if (waiting.size >= maxThreads || seen.size > maxSteps) break;
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
    const key = `${[...waiting.keys()].sort((a, b) => a - b).join()}/${accepting}`;
    return states.get(key) ?? addState(key, { accepting, threads: [...waiting.values()] });
  }

  function addState(
    key: string,
    { accepting, threads }: Pick<InnerState, "accepting" | "threads">,
  ): InnerState {
    if (states.size >= maxKept || kept >= 4 * maxKept) {
      // Guides keep their current states; only the cache is emptied.
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
  if (startState === null) throw new RangeError("no text fits the program");

  return {
    start: startState,
    classOf,
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

/** Classes of bytes that no instruction distinguishes. */
function byteClasses(begins: Program["begins"]): { readonly classOf: Uint8Array; readonly classes: number } {
  const classOf = new Uint8Array(256);
  let classes = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    if (byte > 0 && begins[byte] === 1) classes += 1;
    classOf[byte] = classes;
  }
  return { classOf, classes: classes + 1 };
}
