/** A token that is found in text by its spelling, before anything else looks at the text. */
export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

/**
 * Cuts `text` at every occurrence of the given tokens: strings are text, numbers are ids.
 *
 * The longest token is looked for first in the whole text, then the next in what is left of it, as llama.cpp does: that
 * differs from a scan from left to right where spellings overlap.
 * @param specials - sorted by `bySpellingLength`.
 */
export function cutSpecialTokens(
  text: string,
  specials: readonly SpecialToken[],
): readonly (string | number)[] {
  let pieces: (string | number)[] = text === "" ? [] : [text];
  for (const special of specials) {
    if (!text.includes(special.text)) continue;
    const cut: (string | number)[] = [];
    for (const piece of pieces) {
      if (typeof piece === "number") cut.push(piece);
      else cutPiece(piece, special, cut);
    }
    pieces = cut;
  }
  return pieces;
}

/** Order in which tokens are looked for: by length in bytes, the longest first, then by id. */
export function bySpellingLength(specials: readonly SpecialToken[]): readonly SpecialToken[] {
  const encoder = new TextEncoder();
  const bytes = new Map(specials.map((special) => [special.id, encoder.encode(special.text).length]));
  return [...specials].sort((a, b) => (bytes.get(b.id) ?? 0) - (bytes.get(a.id) ?? 0) || a.id - b.id);
}

function cutPiece(piece: string, special: SpecialToken, cut: (string | number)[]): void {
  let begin = 0;
  for (let found = piece.indexOf(special.text); found !== -1; found = piece.indexOf(special.text, begin)) {
    if (found > begin) cut.push(piece.slice(begin, found));
    cut.push(special.id);
    begin = found + special.text.length;
  }
  if (begin < piece.length) cut.push(piece.slice(begin));
}
