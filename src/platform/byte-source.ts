/** Random access to the bytes of a file or of memory. Holds no more bytes than a read asks for. */
export interface ByteSource {
  /** Name for messages: a path, a URL or "memory". */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes at `offset` into new memory.
   * @throws BitNetError FILE_READ if the range is not wholly inside the file or the host fails.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Fills `target` with the bytes at `offset`. `target` may be a view of shared WebAssembly memory.
   * @throws BitNetError FILE_READ as `read`.
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  /**
   * Synchronous `readInto`, if the host has one. For a few kilobytes that are probably cached: they take
   * microseconds, an asynchronous read takes fifty.
   */
  readIntoNow?(offset: number, target: Uint8Array): void;
  /**
   * As `readInto`, past the host's cache if the host allows that: to measure the disk. `offset`, and the
   * length and the address of `target`, must be multiples of 4096.
   */
  readUncached?(offset: number, target: Uint8Array): Promise<void>;
  /** Releases the host's handle; idempotent. */
  close(): Promise<void>;
}
