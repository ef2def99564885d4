import type { MergeTable } from "#dist/text/merges.js";

/** Byte-pair encoding by its definition: compare every pair, merge the best, repeat. */
export function encodeByDefinition(word: string, merges: MergeTable): readonly string[] {
  const rankOf = new Map<string, number>();
  for (let index = merges.rank.length - 1; index >= 0; index -= 1) {
    const left = merges.texts[merges.left[index] ?? 0];
    const right = merges.texts[merges.right[index] ?? 0];
    rankOf.set(JSON.stringify([left, right]), merges.rank[index] ?? 0);
  }
  const symbols = [...word];
  for (;;) {
    let best = -1;
    let bestRank = Infinity;
    for (let index = 0; index + 1 < symbols.length; index += 1) {
      const rank = rankOf.get(JSON.stringify([symbols[index], symbols[index + 1]])) ?? Infinity;
      if (rank < bestRank) [best, bestRank] = [index, rank];
    }
    if (best === -1) return symbols;
    symbols.splice(best, 2, `${symbols[best]}${symbols[best + 1]}`);
  }
}
