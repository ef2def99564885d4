import type { ByteSource } from "./byte-source.js";

/** A folder of files that belong together, such as a checkpoint; its own files only, none of folders inside it. */
export interface Folder {
  /** What to call it in messages: its path. */
  readonly name: string;
  /** Names of its files, in no order. */
  readonly files: ReadonlySet<string>;
  /**
   * Opens one of its files.
   * @param file A plain name, no path.
   * @throws BitNetError FILE_NOT_FOUND if there is no such file or it may not be read.
   */
  open(file: string): Promise<ByteSource>;
}
