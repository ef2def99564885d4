import type { Steps } from "./slices.js";
import { withUnicode16 } from "./unicode-letters.js";

/** A token that is found in text by its spelling, before anything else looks at the text. */
export interface SpecialToken {
  readonly id: number;
  readonly text: string;
  /** Takes the white space before it, and after it. */
  readonly stripsLeft?: boolean;
  readonly stripsRight?: boolean;
  /** Is found only where no letter or digit touches it. */
  readonly singleWord?: boolean;
}

/** Whether a token may be found at this place of a text. */
export type MayStand = (special: SpecialToken, begin: number, end: number) => boolean;

/** Cuts a text at special tokens: strings are text, numbers are ids. */
export type SpecialCutter = (text: string, mayStand?: MayStand) => Steps<readonly (string | number)[]>;

/** About a millisecond, at places where many spellings begin. */
const placesPerStep = 2048;

interface Piece {
  readonly text: string;
  readonly at: number;
}

/** A tree of spellings by UTF-16 unit. */
interface Branch {
  readonly next: Map<number, Branch>;
  special?: number;
}

/**
 * Cuts texts at every occurrence of the given tokens.
 *
 * As in llama.cpp, the whole text is searched for the longest token first. The rest is searched for the next
 * one. A scan from left to right gives other tokens where spellings overlap.
 */
export function createSpecialCutter(tokens: readonly SpecialToken[]): SpecialCutter {
  const specials = bySpellingLength(tokens);
  const root: Branch = { next: new Map() };
  specials.forEach(({ text }, index) => {
    let branch = root;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      let next = branch.next.get(unit);
      if (next === undefined) branch.next.set(unit, (next = { next: new Map() }));
      branch = next;
    }
    branch.special ??= index;
  });
  const begins = new Uint8Array(0x10000);
  for (const unit of root.next.keys()) begins[unit] = 1;

  /**
   * The tokens that a text has. Gemma 3 has 6,400 added tokens. A search for each took seconds for a long
   * text.
   */
  function* presentIn(text: string): Steps<readonly SpecialToken[]> {
    const found = new Set<number>();
    for (let begin = 0; begin < text.length; begin += 1) {
      if (begin % placesPerStep === placesPerStep - 1) yield;
      if (begins[text.charCodeAt(begin)] === 0) continue;
      let branch: Branch | undefined = root;
      for (let at = begin; branch !== undefined; at += 1) {
        if (branch.special !== undefined) found.add(branch.special);
        branch = branch.next.get(text.charCodeAt(at));
      }
    }
    return [...found].sort((a, b) => a - b).flatMap((index) => specials[index] ?? []);
  }

  return function* (text, mayStand = () => true): Steps<readonly (string | number)[]> {
    let pieces: (Piece | number)[] = text === "" ? [] : [{ text, at: 0 }];
    for (const special of yield* presentIn(text)) {
      const stands = (begin: number, end: number): boolean =>
        mayStand(special, begin, end) && !(special.singleWord === true && touchesWord(text, begin, end));
      const cut: (Piece | number)[] = [];
      for (const piece of pieces) {
        if (typeof piece === "number") cut.push(piece);
        else yield* cutPiece(piece, special, stands, cut);
      }
      pieces = cut;
    }
    return pieces.map((piece) => (typeof piece === "number" ? piece : piece.text));
  };
}

/** Order in which tokens are looked for: by length in bytes, the longest first, then by id. */
function bySpellingLength(specials: readonly SpecialToken[]): readonly SpecialToken[] {
  const encoder = new TextEncoder();
  return specials
    .map((special) => ({ special, bytes: encoder.encode(special.text).length }))
    .sort((a, b) => b.bytes - a.bytes || a.special.id - b.special.id)
    .map(({ special }) => special);
}

const wordAtEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const wordAtStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

function touchesWord(text: string, begin: number, end: number): boolean {
  const before = withUnicode16(text.slice(Math.max(0, begin - 2), begin));
  return wordAtEnd.test(before) || wordAtStart.test(withUnicode16(text.slice(end, end + 2)));
}

function* cutPiece(
  { text, at }: Piece,
  special: SpecialToken,
  stands: (begin: number, end: number) => boolean,
  cut: (Piece | number)[],
): Steps<void> {
  const { length } = special.text;
  let begin = 0;
  let steps = 0;
  for (let found = text.indexOf(special.text); found !== -1;) {
    steps += 1;
    if (steps % placesPerStep === 0) yield;
    if (!stands(at + found, at + found + length)) {
      found = text.indexOf(special.text, found + 1);
      continue;
    }
    let [from, to] = [found, found + length];
    while (special.stripsLeft === true && from > begin && isSpace(text, from - 1)) from -= 1;
    while (special.stripsRight === true && to < text.length && isSpace(text, to)) to += 1;
    if (from > begin) cut.push({ text: text.slice(begin, from), at: at + begin });
    cut.push(special.id);
    begin = to;
    found = text.indexOf(special.text, begin);
  }
  if (begin < text.length) cut.push({ text: text.slice(begin), at: at + begin });
}

const isSpace = (text: string, index: number): boolean => /\p{White_Space}/u.test(text.charAt(index));
