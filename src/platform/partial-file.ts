/** A file that arrives piece by piece, perhaps over several runs, and whose bytes are summed on the way. */
export interface PartialFile {
  /** Bytes that are there, from the beginning without a gap. */
  readonly position: number;
  /**
   * Appends bytes; they may be reused once the promise settles.
   * @throws BitNetError FILE_WRITE if the host fails.
   */
  append(bytes: Uint8Array): Promise<void>;
  /** Begins anew: what is there will be written over. */
  restart(): Promise<void>;
  /** The checksum of all bytes so far, in hexadecimal; undefined where no algorithm was named. Once, at the end. */
  checksum(): string | undefined;
  /** Makes the bytes durable and gives the file its name. */
  commit(path: string): Promise<void>;
  /** Closes the file and keeps it for another run; idempotent. */
  close(): Promise<void>;
  /** Closes and removes it. */
  discard(): Promise<void>;
}

/** How a checksum is made. "git-sha1" is the name of a file's contents in a git repository. */
export type ChecksumAlgorithm = "sha256" | "git-sha1";
