import { lettersOfBytes, spaceMark } from "./token-spelling.js";
import { tokenTypes, type Vocabulary } from "./vocabulary.js";

const empty = new Uint8Array(0);

/**
 * @returns a function from a token's id to its UTF-8 bytes. Control tokens are spelled. The arrays are
 *   shared: do not write.
 */
export function createTokenBytes(vocabulary: Vocabulary): (id: number) => Uint8Array {
  const cache = new Array<Uint8Array | undefined>(vocabulary.tokens.length);
  const encoder = new TextEncoder();
  const toUtf8 = (text: string): Uint8Array => encoder.encode(text);
  const spell = vocabulary.kind === "bytes" ? createByteSpelling(toUtf8) : createCharacterSpelling(toUtf8);
  return (id) => {
    const cached = cache[id];
    if (cached !== undefined) return cached;
    const text = vocabulary.tokens[id] ?? "";
    const type = vocabulary.types[id];
    let bytes: Uint8Array;
    // Unused tokens pad a vocabulary to a round size. They have no text.
    if (type === tokenTypes.unused) bytes = empty;
    else if (type === tokenTypes.byte && /^<0x[0-9A-F]{2}>$/.test(text))
      bytes = Uint8Array.of(parseInt(text.slice(3, 5), 16));
    else bytes = type === tokenTypes.normal ? spell(text) : toUtf8(text);
    cache[id] = bytes;
    return bytes;
  };
}

type Spelling = (text: string) => Uint8Array;

function createCharacterSpelling(toUtf8: Spelling): Spelling {
  return (text) => toUtf8(text.replaceAll(spaceMark, " "));
}

/** Byte-level tokens spell each byte as one printable letter. */
function createByteSpelling(toUtf8: Spelling): Spelling {
  const byteOfLetter = new Map(lettersOfBytes().map((letter, byte) => [letter, byte]));
  return (text) => {
    const bytes: number[] = [];
    for (const letter of text) {
      const byte = byteOfLetter.get(letter);
      if (byte !== undefined) bytes.push(byte);
      // An added token that is marked as ordinary may have other letters. Its text is itself.
      else bytes.push(...toUtf8(letter));
    }
    return Uint8Array.from(bytes);
  };
}
