import type { ByteSource } from "./byte-source.js";

/** A folder of files that belong together, such as a checkpoint. Files of subfolders are not part of it. */
export interface Folder {
  /** Name for messages: its path. */
  readonly name: string;
  /** Names of its files, unordered. */
  readonly files: ReadonlySet<string>;
  /**
   * Opens one of its files.
   * @param file a plain name, no path
   * @throws BitNetError FILE_NOT_FOUND if the file does not exist or may not be read.
   */
  open(file: string): Promise<ByteSource>;
}
