/** A file being written from front to back, which appears under its name only when it is whole. */
export interface FileSink {
  /** What to call it in messages. */
  readonly name: string;
  /**
   * Appends bytes. Calls may overlap; they land in the order of the calls. `bytes` must not change until the promise
   * settles.
   * @throws BitNetError FILE_WRITE if the host fails.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes what was written durable and gives it its name, replacing what had it. */
  commit(): Promise<void>;
  /** Removes what was written; idempotent, and without effect after `commit`. Never rejects. */
  discard(): Promise<void>;
}
