import type { Steps } from "../text/slices.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { beginsCharacter, categoryOf, isUtf8 } from "./byte-categories.js";

/**
 * The bytes of tokens as a tree. Nodes come in the order of the bytes, each before its children, so the nodes
 * of a subtree are neighbours, and so are its tokens.
 */
export interface TokenTree {
  /** The byte that leads to each node. */
  readonly bytes: Uint8Array;
  /** The number of bytes before it. */
  readonly depths: Uint16Array;
  /** The first node after its subtree. */
  readonly ends: Int32Array;
  /** The place of its first token in `ids`: its own, then those of its children. One entry more. */
  readonly firsts: Int32Array;
  /**
   * The categories of the bytes of its subtree, with its own byte. 0 if its byte begins no character, or if
   * not all tokens are whole characters.
   */
  readonly categories: Int32Array;
  /** The longest text of its subtree, in characters, with its own. At most 255. */
  readonly heights: Uint8Array;
  readonly ids: Int32Array;
}

/** The tokens of a vocabulary that have bytes, without control tokens and ends of generation. */
export interface TokenTrees {
  /** Tokens of whole characters. */
  readonly texts: TokenTree;
  /** Tokens with parts of characters. */
  readonly fragments: TokenTree;
  /** A bit for each token of `texts`. */
  readonly bits: Int32Array;
}

/** About a millisecond. */
const tokensPerStep = 2048;
const maxHeight = 255;

/** A vocabulary of 128 000 tokens takes half a second. */
export function* treeSteps(tokenizer: Tokenizer): Steps<TokenTrees> {
  /** The tokens by their first two letters: one list for all would be sorted at once. */
  const groups = new Map<string, Map<string, number[]>>();
  let byteCount = 0;
  for (let id = 0; id < tokenizer.vocabSize; id += 1) {
    if (id % tokensPerStep === 0) yield;
    const bytes = tokenizer.tokenBytes(id);
    if (bytes.length === 0 || tokenizer.endOfGenerationIds.has(id)) continue;
    byteCount += bytes.length;
    // One letter for each byte: engines sort strings ten times as fast as arrays with a comparison function.
    const letters = String.fromCharCode(...bytes);
    const begin = letters.slice(0, 2);
    let idsOf = groups.get(begin);
    if (idsOf === undefined) groups.set(begin, (idsOf = new Map<string, number[]>()));
    const known = idsOf.get(letters);
    if (known === undefined) idsOf.set(letters, [id]);
    else known.push(id);
  }
  const limits = { nodes: byteCount, ids: tokenizer.vocabSize };
  const [texts, fragments] = [createBuilder("characters", limits), createBuilder("bytes", limits)];
  for (const begin of [...groups.keys()].sort()) {
    yield;
    const idsOf = groups.get(begin);
    for (const letters of [...(idsOf?.keys() ?? [])].sort()) {
      const ids = idsOf?.get(letters) ?? [];
      const bytes = tokenizer.tokenBytes(ids[0] ?? 0);
      (isUtf8(bytes) ? texts : fragments).add(bytes, ids);
    }
  }
  yield;
  const tree = texts.finish();
  const bits = new Int32Array((tokenizer.vocabSize + 31) >> 5);
  for (const id of tree.ids) bits[id >> 5] = (bits[id >> 5] ?? 0) | (1 << (id & 31));
  yield;
  return { texts: tree, fragments: fragments.finish(), bits };
}

interface Builder {
  /** Adds tokens of equal bytes. Calls come in the order of the bytes. */
  add(bytes: Uint8Array, ids: readonly number[]): void;
  finish(): TokenTree;
}

/** `limits`: at most so many nodes and ids will be added. */
function createBuilder(
  unit: "characters" | "bytes",
  limits: { readonly nodes: number; readonly ids: number },
): Builder {
  const nodeBytes = new Uint8Array(limits.nodes);
  const depths = new Uint16Array(limits.nodes);
  const ends = new Int32Array(limits.nodes);
  const firsts = new Int32Array(limits.nodes + 1);
  const categories = new Int32Array(limits.nodes);
  const heights = new Uint8Array(limits.nodes);
  const ids = new Int32Array(limits.ids);
  let nodeCount = 0;
  let idCount = 0;
  /** The nodes from the root to the last token. */
  const open: number[] = [];

  function close(depth: number): void {
    while (open.length > depth) {
      const node = open.pop() ?? 0;
      const parent = open.at(-1);
      ends[node] = nodeCount;
      const begins = beginsCharacter(nodeBytes[node] ?? 0);
      heights[node] = Math.min((heights[node] ?? 0) + (begins ? 1 : 0), maxHeight);
      if (parent !== undefined) {
        heights[parent] = Math.max(heights[parent] ?? 0, heights[node]);
        categories[parent] = (categories[parent] ?? 0) | (categories[node] ?? 0);
      }
      // The rule for whole subtrees is about characters. It does not hold inside of one.
      if (unit === "bytes" || !begins) categories[node] = 0;
    }
  }

  function add(bytes: Uint8Array, same: readonly number[]): void {
    let shared = 0;
    while (shared < open.length && shared < bytes.length && nodeBytes[open[shared] ?? 0] === bytes[shared])
      shared += 1;
    close(shared);
    for (let at = shared; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      open.push(nodeCount);
      nodeBytes[nodeCount] = byte;
      depths[nodeCount] = at;
      firsts[nodeCount] = idCount;
      categories[nodeCount] = categoryOf(byte);
      nodeCount += 1;
    }
    ids.set(same, idCount);
    idCount += same.length;
  }

  function finish(): TokenTree {
    close(0);
    firsts[nodeCount] = idCount;
    return {
      bytes: nodeBytes.slice(0, nodeCount),
      depths: depths.slice(0, nodeCount),
      ends: ends.slice(0, nodeCount),
      firsts: firsts.slice(0, nodeCount + 1),
      categories: categories.slice(0, nodeCount),
      heights: heights.slice(0, nodeCount),
      ids: ids.slice(0, idCount),
    };
  }

  return { add, finish };
}
