/** A file that is written from front to back and appears under its name only when it is complete. */
export interface FileSink {
  /** Name for messages. */
  readonly name: string;
  /**
   * Appends bytes. Calls may overlap; they land in the order of the calls. `bytes` must not change until the
   * promise settles.
   * @throws BitNetError FILE_WRITE if the host fails.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the bytes durable and gives the file its name. A file of that name is replaced. */
  commit(): Promise<void>;
  /** Removes the unfinished file. Idempotent, no effect after `commit`, never rejects. */
  discard(): Promise<void>;
}
