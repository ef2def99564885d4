import type { MergeTable } from "./merges.js";
import type { PairTable } from "./pair-table.js";
import { partsOf, type Steps } from "./slices.js";

/** Byte-pair encoding that stays fast on words of any length: n·log n steps over a few typed arrays. */
export interface LongWordMerger {
  /**
   * Calls `emit` for every symbol of the merged word. `symbol` is undefined for a character that has none.
   *
   * @param spell gives the vocabulary's spelling of a part of the word. Parts end between characters.
   */
  merge(
    word: string,
    spell: (part: string) => string,
    emit: (text: string, symbol: number | undefined) => void,
  ): Steps<void>;
}

const none = -1;
/** About 2 ms. */
const stepsPerTurn = 8192;
/** Less than a millisecond. */
const linksPerTurn = 1 << 17;
const charactersPerPart = 4096;
// Ranks stay under 2^22 and positions under 2^31. So one double holds both. It orders by rank, then from the
// left.
const rankUnit = 2 ** 31;

export function createLongWordMerger(merges: MergeTable, pairs: PairTable): LongWordMerger {
  return {
    *merge(word, spell, emit): Steps<void> {
      let symbols = new Int32Array(word.length);
      let count = 0;
      /** Characters without a symbol, by position. */
      const unknown = new Map<number, string>();
      for (const part of partsOf(word, charactersPerPart)) {
        const spelled = spell(part);
        if (count + spelled.length > symbols.length) symbols = grown(symbols, count + spelled.length);
        for (const character of spelled) {
          const symbol = merges.symbols.get(character);
          if (symbol === undefined) unknown.set(count, character);
          symbols[count] = symbol ?? none;
          count += 1;
        }
        yield;
      }
      const next = new Int32Array(count);
      const previous = new Int32Array(count);
      for (let position = 0; position < count; position += 1) {
        next[position] = position + 1 < count ? position + 1 : none;
        previous[position] = position - 1;
        if (position % linksPerTurn === 0) yield;
      }

      const mergeAt = (position: number): number => {
        const neighbour = position === none ? none : (next[position] ?? none);
        if (neighbour === none) return none;
        const left = symbols[position] ?? none;
        const right = symbols[neighbour] ?? none;
        return left === none || right === none ? none : pairs(left, right);
      };
      const heap = new MinHeap(2 * count);
      const offer = (position: number): void => {
        const merge = mergeAt(position);
        if (merge !== none) heap.push((merges.rank[merge] ?? 0) * rankUnit + position);
      };

      for (let position = 0; position + 1 < count; position += 1) {
        offer(position);
        if (position % stepsPerTurn === 0) yield;
      }
      let steps = 0;
      for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
        steps += 1;
        if (steps % stepsPerTurn === 0) yield;
        const rank = Math.floor(key / rankUnit);
        const position = key - rank * rankUnit;
        // Entries stay when their symbols change. An entry is still good if the pair at its position has its
        // rank.
        const merge = mergeAt(position);
        if (merge === none || merges.rank[merge] !== rank) continue;
        const absorbed = next[position] ?? none;
        const after = next[absorbed] ?? none;
        symbols[position] = merges.merged[merge] ?? none;
        next[position] = after;
        next[absorbed] = none;
        symbols[absorbed] = none;
        if (after !== none) previous[after] = position;
        offer(previous[position] ?? none);
        offer(position);
      }

      for (let position = 0; position !== none && position < count; position = next[position] ?? none) {
        const symbol = symbols[position] ?? none;
        if (position % stepsPerTurn === 0) yield;
        if (symbol === none) emit(unknown.get(position) ?? "", undefined);
        else emit(merges.texts[symbol] ?? "", symbol);
      }
    },
  };
}

/** A copy with room for twice as many numbers as it needs. */
function grown(numbers: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * needed);
  larger.set(numbers);
  return larger;
}

/** A heap of doubles, the smallest out first. */
class MinHeap {
  #keys: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#keys = new Float64Array(Math.max(16, capacity));
  }

  push(key: number): void {
    if (this.#size === this.#keys.length) {
      const grown = new Float64Array(2 * this.#size);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    const keys = this.#keys;
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  pop(): number | undefined {
    if (this.#size === 0) return undefined;
    const keys = this.#keys;
    const smallest = keys[0];
    this.#size -= 1;
    const size = this.#size;
    const key = keys[size] ?? 0;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child += 1;
      const below = keys[child] ?? 0;
      if (below >= key) break;
      keys[at] = below;
      at = child;
    }
    keys[at] = key;
    return smallest;
  }
}
