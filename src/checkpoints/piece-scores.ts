import { createTokenIndex } from "../text/token-index.js";
import type { Config } from "./config.js";

/**
 * Computes the scores of a SentencePiece vocabulary from the merges of a tokenizer.json.
 *
 * SentencePiece joins any two neighbours whose text is a token, the highest score first. Converters list
 * every way to cut a token into two tokens. They start from the highest score. So the order of tokens in the
 * list is the order of their scores. A list that lacks some cuts comes from another kind of vocabulary.
 * Scores would then make merges that the list does not have.
 *
 * @param tokens By id, the text of every token that text may become. Undefined: a token that is found before
 *   the merges. No merge makes it. Some converters list it as a part, others do not.
 * @returns by id, the score of each token that merges make: 0, −1, −2, … Others have undefined.
 * @throws BitNetError UNSUPPORTED_TOKENIZER for a list of other merges.
 */
export function scoresOfMerges(
  tokenizer: Config,
  merges: readonly (readonly [string, string])[],
  tokens: readonly (string | undefined)[],
): { readonly scores: readonly (number | undefined)[]; readonly count: number } {
  const index = createTokenIndex(tokens);
  const scores = new Array<number | undefined>(tokens.length);
  let count = 0;
  let listed = 0;
  let cuts = 0;

  /** Where the loaded token can be cut into two tokens. */
  let cutAt: readonly boolean[] = [];
  function readCuts(length: number): number {
    const flags = new Array<boolean>(length).fill(false);
    let found = 0;
    for (let cut = 1; cut < length; cut += 1) {
      if (index.find(0, cut) === -1 || index.find(cut, length) === -1) continue;
      flags[cut] = true;
      found += 1;
    }
    cutAt = flags;
    return found;
  }

  // All cuts of a token stand side by side in the list, so one search serves them all.
  let merged = -1;
  for (const [left, right] of merges) {
    if (merged === -1 || !isJoined(tokens[merged], left, right)) {
      index.load(left, right);
      merged = index.find(0, left.length + right.length);
      if (merged === -1) continue;
      const found = readCuts(left.length + right.length);
      if (scores[merged] === undefined) {
        // Not −0, which is another float.
        scores[merged] = count === 0 ? 0 : -count;
        count += 1;
        cuts += found;
      }
    }
    if (cutAt[left.length] === true) listed += 1;
  }
  for (const [id, token] of tokens.entries()) {
    if (token === undefined || token.length < 2 || scores[id] !== undefined) continue;
    index.load(token);
    cuts += readCuts(token.length);
  }
  if (listed === cuts) return { scores, count };
  throw tokenizer.unsupported(
    "UNSUPPORTED_TOKENIZER",
    `it lists ${listed} of the ${cuts} merges that a SentencePiece vocabulary of its tokens has; byte-pair encoding of characters by other merges is not known here`,
    { listed, cuts },
  );
}

function isJoined(token: string | undefined, left: string, right: string): boolean {
  return token?.length === left.length + right.length && token.startsWith(left) && token.endsWith(right);
}
