/** Finds stop strings in a text that comes in pieces. */
export interface StopMatcher {
  /**
   * @returns the text that is certainly before every stop string, and whether one was found. After that, the
   *   text is always empty.
   */
  push(text: string): StopResult;
  /** As `push`, for a control token that the text does not show. */
  pushControl(id: number): StopResult;
  /** Ends the text. @returns the text held back as a possible beginning of a stop string. */
  flush(): string;
}

export interface StopResult {
  readonly text: string;
  readonly stopped: boolean;
}

/** Units from here on are control tokens; those below are UTF-16 units. */
const firstControl = 0x10000;

/**
 * A matcher for several stop strings at once. The text ends with the stop string that is complete first. It
 * is cut at the beginning of that string, or of the longest if several end there. The division into pieces
 * does not matter, and no part of a stop string is ever emitted.
 *
 * A stop string that spells control tokens is also matched on these tokens, because a text does not show
 * them. So "<|user|>" ends a text at that token, and "user" does not.
 *
 * @param stops none of them empty; without any, all text passes.
 * @param cutControls cuts a text at every spelling of a control token. Default: there are none.
 */
export function createStopMatcher(
  stops: readonly string[],
  cutControls: (text: string) => readonly (string | number)[] = (text) => [text],
): StopMatcher {
  const root = buildAutomaton(
    stops.flatMap((stop) => {
      const pieces = cutControls(stop);
      const plain = unitsOf(stop);
      const isPlain = pieces.every((piece) => typeof piece === "string");
      return isPlain ? [plain] : [plain, pieces.flatMap(unitsOf)];
    }),
  );
  let node = root;
  // Units not yet emitted. The last `node.depth` of them are the longest suffix that begins a stop string.
  let held: number[] = [];
  let stopped = false;

  function push(units: readonly number[]): StopResult {
    const before = held.length;
    for (const unit of units) held.push(unit);
    for (const [at, unit] of units.entries()) {
      node = step(root, node, unit);
      if (node.matchLength > 0) {
        stopped = true;
        return { text: take(before + at + 1 - node.matchLength), stopped };
      }
    }
    return { text: take(held.length - node.depth), stopped };
  }

  return {
    push(text): StopResult {
      if (stopped) return { text: "", stopped };
      return stops.length === 0 ? { text, stopped } : push(unitsOf(text));
    },
    pushControl: (id) => (stopped || stops.length === 0 ? { text: "", stopped } : push([firstControl + id])),
    flush: () => (stopped ? "" : take(held.length)),
  };

  function take(length: number): string {
    let text = "";
    for (const unit of held.slice(0, length)) if (unit < firstControl) text += String.fromCharCode(unit);
    held = held.slice(length);
    return text;
  }
}

/** The units of a text, or of a control token. */
function unitsOf(piece: string | number): readonly number[] {
  if (typeof piece === "number") return [firstControl + piece];
  return Array.from({ length: piece.length }, (_, at) => piece.charCodeAt(at));
}

/** A state of the Aho–Corasick automaton: the longest suffix of the text that begins a stop string. */
interface State {
  readonly depth: number;
  readonly children: Map<number, State>;
  /** The state of the next shorter such suffix; the root's is the root. */
  fallback: State;
  /** Units of the longest stop string that ends here, or 0. */
  matchLength: number;
}

function step(root: State, from: State, unit: number): State {
  let state = from;
  for (;;) {
    const child = state.children.get(unit);
    if (child !== undefined) return child;
    if (state === root) return root;
    state = state.fallback;
  }
}

function buildAutomaton(stops: readonly (readonly number[])[]): State {
  const root = createRoot();
  for (const stop of stops) {
    let state = root;
    for (const [at, unit] of stop.entries()) {
      let child = state.children.get(unit);
      if (child === undefined) {
        child = { depth: at + 1, children: new Map(), fallback: root, matchLength: 0 };
        state.children.set(unit, child);
      }
      state = child;
    }
    state.matchLength = stop.length;
  }
  const queue: State[] = [root];
  for (const state of queue) {
    for (const [unit, child] of state.children) {
      child.fallback = state === root ? root : step(root, state.fallback, unit);
      // If the whole path is no stop string, a suffix of it may be one.
      if (child.matchLength === 0) child.matchLength = child.fallback.matchLength;
      queue.push(child);
    }
  }
  return root;
}

function createRoot(): State {
  const root = { depth: 0, children: new Map<number, State>(), matchLength: 0 };
  return Object.assign(root, { fallback: root as State });
}
