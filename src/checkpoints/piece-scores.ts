import type { Config } from "./config.js";

/**
 * Computes the scores of a SentencePiece vocabulary from the merges of a tokenizer.json.
 *
 * SentencePiece joins two neighbours whose text is a token, the highest score first. Converters list every
 * way to cut each token into two tokens, from the highest score down. So the order of tokens in the list is
 * the order of their scores. A list without some cuts comes from another kind of vocabulary: scores would
 * join more than its merges.
 *
 * @param tokens text of every token that ordinary text can give
 * @param others tokens that are found before merging. No merge makes them. Converters differ in whether lists
 *   have them as parts.
 * @returns the score of each token that merges make: 0, −1, −2, …
 * @throws BitNetError UNSUPPORTED_TOKENIZER for a list that lacks cuts.
 */
export function scoresOfMerges(
  tokenizer: Config,
  merges: readonly (readonly [string, string])[],
  tokens: ReadonlySet<string>,
  others: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  const isText = (text: string): boolean => tokens.has(text) && !others.has(text);
  let listed = 0;
  for (const [left, right] of merges) {
    const merged = left + right;
    if (!isText(merged)) continue;
    // Not −0, which is another float.
    if (!scores.has(merged)) scores.set(merged, scores.size === 0 ? 0 : -scores.size);
    if (isText(left) && isText(right)) listed += 1;
  }
  let cuts = 0;
  for (const token of tokens) {
    if (others.has(token)) continue;
    for (let cut = 1; cut < token.length; cut += 1) {
      if (isText(token.slice(0, cut)) && isText(token.slice(cut))) cuts += 1;
    }
  }
  if (listed === cuts) return scores;
  throw tokenizer.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `it lists ${listed} of the ${cuts} merges that a SentencePiece vocabulary of its tokens has; byte-pair encoding of characters by other merges is not known here`,
    { listed, cuts },
  );
}
