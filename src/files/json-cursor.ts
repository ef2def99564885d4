import { BitNetError } from "../errors.js";
import { decodeStrictly } from "./string-batch.js";

const byteOf = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** Deeper than any header. A recursive reader must have a limit. */
const maxDepth = 32;
/** Longer than any number that a program writes. */
const maxWordLength = 64;

/** Characters after a backslash in a JSON string. */
const escapedCharacters: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/**
 * Reads JSON front to back, field by field, for file formats written in JSON. Every refusal names the byte. A
 * repeated key is refused; `JSON.parse` would take the last one. Keys never become properties, so "__proto__"
 * is an ordinary name.
 */
export class JsonCursor {
  readonly #name: string;
  readonly #bytes: Uint8Array;
  /** Offset in the file of the first byte. */
  readonly #begin: number;
  #index = 0;

  /**
   * @param name name of the file for messages
   * @param begin offset in the file of the first of `bytes`
   */
  constructor(name: string, bytes: Uint8Array, begin = 0) {
    this.#name = name;
    this.#bytes = bytes;
    this.#begin = begin;
  }

  /** Offset in the file of the next byte. */
  get offset(): number {
    return this.#begin + this.#index;
  }

  /** Calls `onEntry` after each key of an object; it reads the value. No key may occur twice. */
  object(what: string, onEntry: (key: string, offset: number) => void): void {
    const keys = new Set<string>();
    this.#list(what, byteOf.openBrace, byteOf.closeBrace, () => {
      const offset = this.#skipSpace();
      const key = this.string(`a key of ${what}`);
      if (keys.has(key)) throw this.corrupt(`${what} has the key ${JSON.stringify(key)} twice`, offset);
      keys.add(key);
      this.#expect(byteOf.colon, `a colon after the key ${JSON.stringify(key)}`);
      onEntry(key, offset);
    });
  }

  /** Calls `onElement` before each element of an array; it reads the element. */
  array(what: string, onElement: (index: number) => void): void {
    let index = 0;
    this.#list(what, byteOf.openBracket, byteOf.closeBracket, () => {
      onElement(index);
      index += 1;
    });
  }

  string(what: string): string {
    this.#expect(byteOf.quote, `${what}, a string`);
    const bytes = this.#bytes;
    const begin = this.#index;
    let escapes = false;
    for (let at = begin; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === byteOf.quote) {
        this.#index = at + 1;
        const text = decodeStrictly(bytes.subarray(begin, at));
        if (text === undefined) throw this.corrupt(`${what} is not UTF-8`, this.#begin + begin);
        return escapes ? this.#unescape(text, what, this.#begin + begin) : text;
      }
      if (byte < 0x20) throw this.corrupt(`${what} has a control character in it`, this.#begin + at);
      if (byte === byteOf.backslash) {
        escapes = true;
        at += 1;
      }
    }
    throw this.corrupt(`${what} does not end`, this.#begin + begin);
  }

  /** A whole number from 0 to 2^53 − 1, in plain digits. */
  count(what: string): number {
    const offset = this.#skipSpace();
    const begin = this.#index;
    const text = this.#word();
    const value = Number(text);
    if (/^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(value)) return value;
    throw this.corrupt(
      `${what} should be a whole number and is ${text === "" ? this.#describeNext(begin) : text}`,
      offset,
    );
  }

  /** Skips a value of any kind, which must be valid JSON. */
  skip(what: string, depth = 0): void {
    const offset = this.#skipSpace();
    if (depth > maxDepth) throw this.corrupt(`${what} nests more than ${maxDepth} deep`, offset);
    const byte = this.#bytes[this.#index];
    if (byte === byteOf.quote) return void this.string(what);
    if (byte === byteOf.openBrace) return this.object(what, () => this.skip(what, depth + 1));
    if (byte === byteOf.openBracket) return this.array(what, () => this.skip(what, depth + 1));
    const begin = this.#index;
    if (/^(true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?)$/.test(this.#word())) return;
    throw this.corrupt(`${what} should be a JSON value and is ${this.#describeNext(begin)}`, offset);
  }

  /** Requires that only spaces follow. */
  end(what: string): void {
    const offset = this.#skipSpace();
    if (this.#index < this.#bytes.length) {
      throw this.corrupt(`${what} is followed by ${this.#describeNext()}`, offset);
    }
  }

  /** The error for bytes that contradict the format. */
  corrupt(what: string, offset: number = this.offset): BitNetError {
    return new BitNetError("FILE_CORRUPT", `Cannot read "${this.#name}": ${what} (at byte ${offset})`, {
      details: { offset },
    });
  }

  #list(what: string, open: number, close: number, onItem: () => void): void {
    this.#expect(open, `${what}, ${open === byteOf.openBrace ? "an object" : "an array"}`);
    this.#skipSpace();
    if (this.#bytes[this.#index] === close) {
      this.#index += 1;
      return;
    }
    for (;;) {
      onItem();
      this.#skipSpace();
      const next = this.#bytes[this.#index];
      if (next !== byteOf.comma && next !== close) {
        throw this.corrupt(
          `${what} should continue with a comma or end, and there is ${this.#describeNext()}`,
          this.offset,
        );
      }
      this.#index += 1;
      if (next === close) return;
    }
  }

  #expect(byte: number, what: string): void {
    const offset = this.#skipSpace();
    if (this.#bytes[this.#index] !== byte) {
      throw this.corrupt(`expected ${what}, and there is ${this.#describeNext()}`, offset);
    }
    this.#index += 1;
  }

  /** @returns the offset of the next character that is not a space */
  #skipSpace(): number {
    for (;;) {
      const byte = this.#bytes[this.#index];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return this.offset;
      this.#index += 1;
    }
  }

  #unescape(text: string, what: string, offset: number): string {
    const unescaped = text.replace(
      /\\(?:u([0-9a-fA-F]{4})|(u?.?))/gsu,
      (_, code: string | undefined, letter) => {
        if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
        const character = escapedCharacters.get(String(letter));
        if (character === undefined)
          throw this.corrupt(`${what} has an escape that JSON does not define`, offset);
        return character;
      },
    );
    // A lone surrogate is not text: UTF-8 cannot encode it.
    if (/\p{Surrogate}/u.test(unescaped))
      throw this.corrupt(`${what} has half a surrogate pair in it`, offset);
    return unescaped;
  }

  /** Takes a number or a bare word, up to the length limit. */
  #word(): string {
    const begin = this.#index;
    const end = Math.min(this.#bytes.length, begin + maxWordLength);
    while (this.#index < end && isWordPart(this.#bytes[this.#index] as number)) this.#index += 1;
    return String.fromCharCode(...this.#bytes.subarray(begin, this.#index));
  }

  #describeNext(index = this.#index): string {
    const byte = this.#bytes[index];
    if (byte === undefined) return "the end";
    return byte > 0x20 && byte < 0x7f
      ? `"${String.fromCharCode(byte)}"`
      : `byte 0x${byte.toString(16).padStart(2, "0")}`;
  }
}

function isWordPart(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return isDigit || isLetter || byte === 0x2b || byte === 0x2d || byte === 0x2e;
}
