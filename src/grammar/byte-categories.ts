/**
 * Categories of bytes: each is a bit. Grammars rarely distinguish two bytes of a category, and a few bits say
 * which bytes a group of tokens has.
 */
const named: readonly (readonly (readonly [first: number, last: number])[])[] = [
  [
    [0x00, 0x1f],
    [0x7f, 0x7f],
  ],
  ...Array.from(' "\\.-_/:@', (character) => [[character.charCodeAt(0), character.charCodeAt(0)]] as const),
  [[0x30, 0x39]],
  [[0x41, 0x46]],
  [[0x47, 0x5a]],
  [[0x61, 0x66]],
  [[0x67, 0x7a]],
];
const others = 1 << named.length;
/** Characters past U+007F. */
export const wide: number = 1 << (named.length + 1);
const categories = Int32Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return wide;
  const found = named.findIndex((ranges) => ranges.some(([first, last]) => byte >= first && byte <= last));
  return found < 0 ? others : 1 << found;
});

/** The category of a byte, as a bit. */
export const categoryOf = (byte: number): number => categories[byte] ?? others;
export const letters: number = categoryOf(0x61) | categoryOf(0x7a);

/** Whether a byte of UTF-8 begins a character. */
export const beginsCharacter = (byte: number): boolean => (byte & 0xc0) !== 0x80;

/** All characters past U+007F as ranges of their bytes (RFC 3629). */
export const wideCharacters: readonly (readonly (readonly [first: number, last: number])[])[] = [
  [
    [0xc2, 0xdf],
    [0x80, 0xbf],
  ],
  [
    [0xe0, 0xe0],
    [0xa0, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xe1, 0xec],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xed, 0xed],
    [0x80, 0x9f],
    [0x80, 0xbf],
  ],
  [
    [0xee, 0xef],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf0, 0xf0],
    [0x90, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf1, 0xf3],
    [0x80, 0xbf],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
  [
    [0xf4, 0xf4],
    [0x80, 0x8f],
    [0x80, 0xbf],
    [0x80, 0xbf],
  ],
];

/** Whether bytes are whole characters in UTF-8. */
export function isUtf8(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) {
      at += 1;
      continue;
    }
    const form = wideCharacters.find((ranges) =>
      ranges.every(([first, last], place) => {
        const each = bytes[at + place] ?? 0;
        return each >= first && each <= last;
      }),
    );
    if (form === undefined) return false;
    at += form.length;
  }
  return true;
}
