/** Finds stop strings in a text that comes in pieces. */
export interface StopMatcher {
  /**
   * @returns the text that certainly stands before every stop string, and whether one has been found; after that,
   * nothing more comes out.
   */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** Ends the text. @returns what was held back because it could have begun a stop string. */
  flush(): string;
}

/**
 * A matcher for several stop strings at once. Where the stop string that is complete first ends, the text stops: it is
 * cut where that string begins, or where the longest begins if several end there. How the text was cut into pieces
 * makes no difference, and no part of a stop string ever comes out.
 * @param stops - each not empty; none at all lets everything through.
 */
export function createStopMatcher(stops: readonly string[]): StopMatcher {
  const root = buildAutomaton(stops);
  let node = root;
  // Text not yet given out. Its last `node.depth` units are the longest end of the text that begins a stop string.
  let held = "";
  let stopped = false;

  return {
    push(text: string): { readonly text: string; readonly stopped: boolean } {
      if (stopped) return { text: "", stopped };
      if (stops.length === 0) return { text, stopped };
      const before = held.length;
      held += text;
      for (let at = 0; at < text.length; at++) {
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

/** A state of Aho and Corasick's automaton: the longest end of the text so far that begins a stop string. */
interface State {
  readonly depth: number;
  readonly children: Map<number, State>;
  /** The state of the next shorter end that begins a stop string; the root's is itself. */
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
    for (let at = 0; at < stop.length; at++) {
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
      // Where the whole path is no stop string, a shorter end of it may be.
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
