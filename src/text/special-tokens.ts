/** A token that is found in text by its spelling, before anything else looks at the text. */
export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

/** Whether a token may be found at this place of a text. */
export type MayStand = (special: SpecialToken, begin: number, end: number) => boolean;

interface Piece {
  readonly text: string;
  readonly at: number;
}

/**
 * Cuts `text` at every occurrence of the given tokens: strings are text, numbers are ids.
 *
 * The longest token is looked for first in the whole text, then the next in what is left of it, as llama.cpp does. A scan
 * from left to right gives other tokens where spellings overlap.
 *
 * @param specials Sorted by `bySpellingLength`.
 * @param mayStand Default: everywhere.
 */
export function cutSpecialTokens(
  text: string,
  specials: readonly SpecialToken[],
  mayStand: MayStand = () => true,
): readonly (string | number)[] {
  let pieces: (Piece | number)[] = text === "" ? [] : [{ text, at: 0 }];
  for (const special of specials) {
    if (!text.includes(special.text)) continue;
    const cut: (Piece | number)[] = [];
    for (const piece of pieces) {
      if (typeof piece === "number") cut.push(piece);
      else cutPiece(piece, special, mayStand, cut);
    }
    pieces = cut;
  }
  return pieces.map((piece) => (typeof piece === "number" ? piece : piece.text));
}

/** Order in which tokens are looked for: by length in bytes, the longest first, then by id. */
export function bySpellingLength(specials: readonly SpecialToken[]): readonly SpecialToken[] {
  const encoder = new TextEncoder();
  const bytes = new Map(specials.map((special) => [special.id, encoder.encode(special.text).length]));
  return [...specials].sort((a, b) => (bytes.get(b.id) ?? 0) - (bytes.get(a.id) ?? 0) || a.id - b.id);
}

function cutPiece(
  { text, at }: Piece,
  special: SpecialToken,
  mayStand: MayStand,
  cut: (Piece | number)[],
): void {
  const { length } = special.text;
  let begin = 0;
  for (let found = text.indexOf(special.text); found !== -1;) {
    if (!mayStand(special, at + found, at + found + length)) {
      found = text.indexOf(special.text, found + 1);
      continue;
    }
    if (found > begin) cut.push({ text: text.slice(begin, found), at: at + begin });
    cut.push(special.id);
    begin = found + length;
    found = text.indexOf(special.text, begin);
  }
  if (begin < text.length) cut.push({ text: text.slice(begin), at: at + begin });
}
