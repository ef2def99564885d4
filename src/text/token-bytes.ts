import { SPACE_MARK } from "./words.js";
import { TOKEN_TYPE, type Vocabulary } from "./vocabulary.js";

const EMPTY = new Uint8Array(0);

/** @returns a function from a token's id to the UTF-8 bytes it stands for, spelling control tokens out. Cached: do not write. */
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
    // Unused tokens pad a vocabulary to a round size; a model that picks one has nothing to say.
    if (type === TOKEN_TYPE.unused) bytes = EMPTY;
    else if (type === TOKEN_TYPE.byte && /^<0x[0-9A-F]{2}>$/.test(text))
      bytes = Uint8Array.of(parseInt(text.slice(3, 5), 16));
    else bytes = type === TOKEN_TYPE.normal ? spell(text) : toUtf8(text);
    cache[id] = bytes;
    return bytes;
  };
}

type Spelling = (text: string) => Uint8Array;

function createCharacterSpelling(toUtf8: Spelling): Spelling {
  return (text) => toUtf8(text.replaceAll(SPACE_MARK, " "));
}

/** Byte-level tokens spell each byte as one printable letter. */
function createByteSpelling(toUtf8: Spelling): Spelling {
  const byteOfLetter = new Map(lettersOfBytes().map((letter, byte) => [letter, byte]));
  return (text) => {
    const bytes: number[] = [];
    for (const letter of text) {
      const byte = byteOfLetter.get(letter);
      if (byte !== undefined) bytes.push(byte);
      // Not one of the 256 letters: an added token that is marked as ordinary. It can only mean itself.
      else bytes.push(...toUtf8(letter));
    }
    return Uint8Array.from(bytes);
  };
}

/** GPT-2's letters for the bytes 0…255: bytes that print stand for themselves, the rest for the letters from U+0100 on. */
export function lettersOfBytes(): readonly string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(prints ? byte : next++);
  });
}
