import { BitNetError, throwIfAborted } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import { StringBatch } from "./string-batch.js";

const windowBytes = 2 ** 20;
const safeHighWord = 2 ** 21;

/**
 * Reads little-endian fields front to back through a window. It reads the header only. No number in the file
 * causes an allocation before it was compared with the file's size.
 *
 * Fields are read in two steps, `await need(n)` and then the getters: awaiting each of half a million fields
 * costs more than reading them.
 */
export class HeaderCursor {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  /** Reading past this offset is refused: the smaller of the file's size and the limit on headers. */
  readonly #end: number;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** Offset in the file of the window's first byte. */
  #windowOffset = 0;
  #windowLength = 0;
  #index = 0;

  constructor(source: ByteSource, maxBytes: number, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
    this.#end = Math.min(source.size, maxBytes);
    this.#window = new Uint8Array(Math.min(windowBytes, Math.max(this.#end, 1)));
    this.#view = new DataView(this.#window.buffer);
  }

  /** Offset in the file of the next byte. */
  get offset(): number {
    return this.#windowOffset + this.#index;
  }

  /** Makes the next few `bytes` readable by getters. Not for bulk reads. */
  async need(bytes: number, what: string): Promise<void> {
    if (this.#index + bytes <= this.#windowLength) return;
    this.require(bytes, what);
    await this.#refill();
  }

  /** @throws BitNetError FILE_CORRUPT unless the file has `bytes` more. */
  require(bytes: number, what: string): void {
    if (bytes <= this.#end - this.offset) return;
    const size = this.#source.size;
    throw this.#end < size
      ? this.corrupt(`${what} would make the header longer than ${this.#end} bytes`)
      : this.corrupt(`the file ends inside ${what}; is the download complete?`, this.offset, { size });
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A number if exact, else a bigint. */
  u64(): number | bigint {
    const at = this.#advance(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high >= safeHighWord) return this.#view.getBigUint64(at, true);
    return high * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** A number if exact, else a bigint. */
  i64(): number | bigint {
    const value = this.#view.getBigInt64(this.#advance(8), true);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /**
   * Reads a u64 that counts things of at least `minBytes` each. It is refused above `max`, and if the file
   * cannot hold so many, before the caller allocates or loops.
   */
  async count(what: string, minBytes: number, max: number): Promise<number> {
    await this.need(8, `the number of ${what}`);
    const offset = this.offset;
    const value = this.u64();
    const room = Math.floor((this.#source.size - this.offset) / minBytes);
    if (value > room) {
      throw this.corrupt(
        `${value} ${what} do not fit the rest of the file of ${this.#source.size} bytes; a download may be cut: download it again`,
        offset,
        { count: String(value) },
      );
    }
    if (value > max) {
      throw this.corrupt(`${value} ${what} are more than any model has (limit ${max})`, offset, {
        count: String(value),
      });
    }
    return Number(value);
  }

  /** Fills `target` with the next bytes. The caller has checked that they exist. */
  async copyInto(target: Uint8Array): Promise<void> {
    const ready = Math.min(target.length, this.#windowLength - this.#index);
    target.set(this.#window.subarray(this.#index, this.#index + ready));
    this.#index += ready;
    if (ready === target.length) return;

    throwIfAborted(this.#signal);
    const rest = target.subarray(ready);
    await this.#source.readInto(this.offset, rest);
    this.#windowOffset = this.offset + rest.length;
    this.#windowLength = 0;
    this.#index = 0;
  }

  /** Reads `count` strings. Bytes that are not UTF-8 become U+FFFD. The caller has checked `count`. */
  async strings(count: number, maxBytes: number, what: string): Promise<string[]> {
    // By push: `new Array(n)` of a large n makes a slower kind of array.
    const strings: string[] = [];
    const batch = new StringBatch(strings);
    while (batch.count < count) {
      this.#index += batch.take(this.#window, this.#index, this.#windowLength, count);
      if (batch.count === count) break;
      // The next string ends outside the window, or is longer than a batch.
      batch.flush();
      const bytes = await this.count(`bytes of ${what}`, 1, maxBytes);
      batch.add(await this.#bytes(bytes, what));
    }
    batch.flush();
    return strings;
  }

  /** Reads the bytes of one string after its length. */
  async stringBytes(maxBytes: number, what: string): Promise<Uint8Array> {
    return this.#bytes(await this.count(`bytes of ${what}`, 1, maxBytes), what);
  }

  /** The error for bytes that contradict the format. `offset` is absolute; default: the next byte. */
  corrupt(what: string, offset: number = this.offset, details: Record<string, unknown> = {}): BitNetError {
    return new BitNetError(
      "FILE_CORRUPT",
      `Cannot read "${this.#source.name}": ${what} (at byte ${offset})`,
      { details: { offset, ...details } },
    );
  }

  async #bytes(length: number, what: string): Promise<Uint8Array> {
    this.require(length, what);
    const bytes = new Uint8Array(length);
    await this.copyInto(bytes);
    return bytes;
  }

  #advance(bytes: number): number {
    const at = this.#index;
    this.#index += bytes;
    return at;
  }

  async #refill(): Promise<void> {
    throwIfAborted(this.#signal);
    this.#windowOffset = this.offset;
    this.#index = 0;
    this.#windowLength = Math.min(this.#window.length, this.#end - this.#windowOffset);
    await this.#source.readInto(this.#windowOffset, this.#window.subarray(0, this.#windowLength));
  }
}
