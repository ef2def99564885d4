const batchBytes = 2 ** 16;
const batchStrings = 2 ** 14;
const lengthBytes = 8;

/** U+FEFF is an ordinary character of a string, not a mark to strip. */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Decodes many short strings at once: gathers their bytes, decodes them together and cuts the result. A
 * vocabulary with its merges has 400,000 strings of eight bytes. One TextDecoder call for each took twice as
 * long.
 */
export class StringBatch {
  readonly #output: string[];
  readonly #bytes = new Uint8Array(batchBytes);
  readonly #byteLengths = new Int32Array(batchStrings);
  readonly #utf16Lengths = new Int32Array(batchStrings);
  #strings = 0;
  #length = 0;
  /**
   * A string begins with a continuation byte. Joined with the one before it, broken strings could look valid.
   */
  #broken = false;

  /** @param output strings are appended to it */
  constructor(output: string[]) {
    this.#output = output;
  }

  /** Strings taken so far, including those not appended yet. */
  get count(): number {
    return this.#output.length + this.#strings;
  }

  /**
   * Takes length-prefixed strings that lie completely in [begin, end) of `window`. Stops after `total`
   * strings, or at one that does not fit.
   * @returns the bytes of `window` that they used
   */
  take(window: Uint8Array, begin: number, end: number, total: number): number {
    const bytes = this.#bytes;
    let at = begin;
    let wanted = total - this.count;
    while (wanted > 0 && at + lengthBytes <= end) {
      const length = lengthAt(window, at);
      if (length > Math.min(batchBytes, end - at - lengthBytes)) break;
      if (this.#length + length > batchBytes || this.#strings === batchStrings) this.flush();

      let from = at + lengthBytes;
      let to = this.#length;
      let utf16Length = length;
      at = from + length;
      if (length > 0 && ((window[from] as number) & 0xc0) === 0x80) this.#broken = true;
      while (from < at) {
        const byte = window[from] as number;
        bytes[to] = byte;
        from += 1;
        to += 1;
        // Continuation bytes add no code unit. Characters of four bytes are two code units.
        if (byte >= 0x80) utf16Length += byte < 0xc0 ? -1 : byte >= 0xf0 ? 1 : 0;
      }
      this.#length = to;
      this.#byteLengths[this.#strings] = length;
      this.#utf16Lengths[this.#strings] = utf16Length;
      this.#strings += 1;
      wanted -= 1;
    }
    return at - begin;
  }

  /** Appends one string. Call `flush` before it. */
  add(bytes: Uint8Array): void {
    this.#output.push(lossy.decode(bytes));
  }

  /** Appends the taken strings. */
  flush(): void {
    const lengths = this.#utf16Lengths;
    const joined = this.#broken ? undefined : decodeStrictly(this.#bytes.subarray(0, this.#length));
    for (let index = 0, begin = 0; index < this.#strings; index += 1) {
      if (joined === undefined) {
        const end = begin + (this.#byteLengths[index] as number);
        this.#output.push(lossy.decode(this.#bytes.subarray(begin, end)));
        begin = end;
      } else {
        const end = begin + (lengths[index] as number);
        this.#output.push(joined.substring(begin, end));
        begin = end;
      }
    }
    this.#strings = 0;
    this.#length = 0;
    this.#broken = false;
  }
}

/** The text of UTF-8 bytes. Undefined for invalid UTF-8. */
export function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * A little-endian u64 by its low 32 bits. Infinity if the high ones are not zero: no string in a window is
 * that long.
 */
function lengthAt(window: Uint8Array, at: number): number {
  const high =
    (window[at + 4] as number) |
    (window[at + 5] as number) |
    (window[at + 6] as number) |
    (window[at + 7] as number);
  if (high !== 0) return Infinity;
  const low = (window[at] as number) | ((window[at + 1] as number) << 8) | ((window[at + 2] as number) << 16);
  return low + (window[at + 3] as number) * 2 ** 24;
}
