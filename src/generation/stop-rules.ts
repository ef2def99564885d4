/** Finds stop strings in a text that comes in pieces. */
export interface StopMatcher {
  /**
   * @returns the text that is certainly before every stop string, and whether one was found. After that, the
   *   text is always empty.
   */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** Ends the text. @returns the text held back as a possible beginning of a stop string. */
  flush(): string;
}

/**
 * A matcher for several stop strings at once. The text ends with the stop string that is complete first. It
 * is cut at the beginning of that string, or of the longest if several end there. The division into pieces
 * does not matter, and no part of a stop string is ever emitted.
 *
 * @param stops none of them empty; without any, all text passes.
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const root = buildAutomaton(stops);
  let node = root;
  // Text not yet emitted. Its last `node.depth` units are the longest suffix that begins a stop string.
  let held = "";
  let stopped = false;

  return {
    push(text: string): { readonly text: string; readonly stopped: boolean } {
      if (stopped) return { text: "", stopped };
      if (stops.length === 0) return { text, stopped };
      const before = held.length;
      held += text;
      for (let at = 0; at < text.length; at += 1) {
        node = step(root, node, text.charCodeAt(at));
        if (node.matchLength > 0) {
          stopped = true;
          return { text: take(before + at + 1 - node.matchLength), stopped };
        }
      }
      return { text: take(held.length - node.depth), stopped };
    },
    flush: () => (stopped ? "" : take(held.length)),
  };

  function take(length: number): string {
    const taken = held.slice(0, length);
    held = held.slice(length);
    return taken;
  }
}

/** A state of the Aho–Corasick automaton: the longest suffix of the text that begins a stop string. */
interface State {
  readonly depth: number;
  readonly children: Map<number, State>;
  /** The state of the next shorter such suffix; the root's is the root. */
  fallback: State;
  /** Length of the longest stop string that ends here, or 0. */
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

function buildAutomaton(stops: readonly string[]): State {
  const root = createRoot();
  for (const stop of stops) {
    let state = root;
    for (let at = 0; at < stop.length; at += 1) {
      const unit = stop.charCodeAt(at);
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
