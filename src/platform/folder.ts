import type { ByteSource } from "./byte-source.js";

/** A folder of files that belong together, such as a checkpoint. */
export interface Folder {
  /** Name for messages: its path. */
  readonly name: string;
  /**
   * Names of its files, unordered. Files of a checkpoint's numbered modules are among them, such as
   * "1_Pooling/config.json". Files of other subfolders are not.
   */
  readonly files: ReadonlySet<string>;
  /**
   * Opens one of its files.
   * @param file one of `files`
   * @throws BitNetError FILE_NOT_FOUND if the file does not exist or may not be read.
   */
  open(file: string): Promise<ByteSource>;
}
