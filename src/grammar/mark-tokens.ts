import { inSlices, drain } from "../text/slices.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Automaton, State } from "./automaton.js";
import { letters, wide } from "./byte-categories.js";
import type { Run } from "./character-runs.js";
import { type TokenTree, type TokenTrees, treeSteps } from "./token-tree.js";

const trees = new WeakMap<Tokenizer, TokenTrees>();
const making = new WeakMap<Tokenizer, Promise<TokenTrees>>();

/** Computed once for each tokenizer. */
export function tokenTrees(tokenizer: Tokenizer): TokenTrees {
  const known = trees.get(tokenizer);
  if (known !== undefined) return known;
  const made = drain(treeSteps(tokenizer));
  trees.set(tokenizer, made);
  return made;
}

/** Computes the trees in slices, if they are not known. */
export async function prepareTokenTrees(tokenizer: Tokenizer): Promise<void> {
  if (trees.has(tokenizer)) return;
  const made = making.get(tokenizer) ?? inSlices(treeSteps(tokenizer));
  making.set(tokenizer, made);
  trees.set(tokenizer, await made);
}

/** Smaller subtrees are read faster than they are compared with a run. */
const minTokens = 8;

/**
 * Sets the bits of the tokens that may follow a state, and clears the others.
 *
 * @param runOf finds the run of a state of the automaton.
 * @returns the number of these tokens.
 */
export function markTokens(
  { texts, fragments, bits: all }: TokenTrees,
  automaton: Automaton,
  runOf: (state: State) => Run,
  state: State,
  bits: Int32Array,
): number {
  // In a string, most tokens fit. Then it is faster to clear the bits of the others.
  const mostFit = (letters & ~runOf(state).categories) === 0;
  if (mostFit) bits.set(all);
  else bits.fill(0);
  const changed = walk(texts, mostFit ? "refused" : "fitting");
  return (mostFit ? texts.ids.length - changed : changed) + walk(fragments, "fitting");

  /**
   * Reads the tree from the root. It sets the bits of fitting tokens, or clears those of refused ones.
   *
   * @returns the number of changed bits.
   */
  function walk(tree: TokenTree, changes: "fitting" | "refused"): number {
    const marks = changes === "fitting";
    const { bytes, depths, ends, firsts, categories, heights, ids } = tree;
    /** The states before each byte of the current token. */
    const path: State[] = [state];
    let count = 0;
    const change = (first: number, last: number): void => {
      for (let at = first; at < last; at += 1) {
        const id = ids[at] ?? 0;
        const bit = 1 << (id & 31);
        bits[id >> 5] = marks ? (bits[id >> 5] ?? 0) | bit : (bits[id >> 5] ?? 0) & ~bit;
      }
      count += last - first;
    };
    for (let node = 0; node < bytes.length;) {
      const depth = depths[node] ?? 0;
      const from = path[depth] ?? state;
      const end = ends[node] ?? 0;
      const [first, last] = [firsts[node] ?? 0, firsts[end] ?? 0];
      if (last - first >= minTokens && fitsRun(from, categories[node] ?? 0, heights[node] ?? 0)) {
        if (marks) change(first, last);
        node = end;
        continue;
      }
      const next = automaton.next(from, bytes[node] ?? 0);
      if (next === undefined) {
        if (!marks) change(first, last);
        node = end;
        continue;
      }
      path[depth + 1] = next;
      node += 1;
      if (marks) change(first, firsts[node] ?? 0);
    }
    return count;
  }

  /** Whether all texts of these categories and up to this height may follow. */
  function fitsRun(from: State, categories: number, height: number): boolean {
    if (categories === 0) return false;
    const run = runOf(from);
    if ((categories & ~run.categories) !== 0) return false;
    return height <= ((categories & wide) === 0 ? run.length : run.wideLength());
  }
}
