import { BitNetError } from "../errors.js";

const encoder = new TextEncoder();

/** Appends little-endian fields to growing memory: the writing side of HeaderCursor. */
export class HeaderBytes {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(2 ** 16);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  /** The appended bytes, valid until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): void {
    const at = this.#append(1);
    this.#view.setUint8(at, value);
  }

  u32(value: number): void {
    const at = this.#append(4);
    this.#view.setUint32(at, value, true);
  }

  u64(value: number | bigint): void {
    const at = this.#append(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  i64(value: number | bigint): void {
    const at = this.#append(8);
    this.#view.setBigInt64(at, BigInt(value), true);
  }

  /** A string after its length in bytes. */
  string(text: string): void {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const start = this.#append(8 + text.length * 3);
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start + 8));
    this.#view.setBigUint64(start, BigInt(written), true);
    this.#length = start + 8 + written;
  }

  raw(bytes: Uint8Array): void {
    const at = this.#append(bytes.length);
    this.#bytes.set(bytes, at);
  }

  zeros(count: number): void {
    const at = this.#append(count);
    this.#bytes.fill(0, at, at + count);
  }

  /**
   * Makes room for `bytes` more and returns their position. It may replace the memory, so call it before
   * taking a view.
   */
  #append(bytes: number): number {
    const start = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) this.#grow();
    return start;
  }

  #grow(): void {
    let grown: Uint8Array<ArrayBuffer>;
    try {
      grown = new Uint8Array(this.#length * 2);
    } catch (cause) {
      throw new BitNetError("OUT_OF_MEMORY", `Cannot hold a header of ${this.#length} bytes`, { cause });
    }
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
