/** A file that arrives piece by piece, perhaps over several runs, with a checksum of all bytes. */
export interface PartialFile {
  /** Bytes written so far, without a gap. */
  readonly position: number;
  /**
   * Appends bytes. They may be reused after the promise settles.
   * @throws BitNetError FILE_WRITE if the host fails.
   */
  append(bytes: Uint8Array): Promise<void>;
  /** Starts again: the bytes so far will be overwritten. */
  restart(): Promise<void>;
  /**
   * The checksum of all bytes, in hexadecimal. Undefined without an algorithm. May be called once, at the
   * end.
   */
  checksum(): string | undefined;
  /** Makes the bytes durable and gives the file its name. */
  commit(path: string): Promise<void>;
  /** Closes the file and keeps it for another run. Idempotent. */
  close(): Promise<void>;
  /** Closes and removes it. */
  discard(): Promise<void>;
}

/** Algorithm of a checksum. "git-sha1" is git's hash of a file's contents. */
export type ChecksumAlgorithm = "sha256" | "git-sha1";
