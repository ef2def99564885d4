import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { BitNetError } from "../errors.js";
import { syncFolder, writeFailed } from "./node-file-sink.js";
import { dirname } from "./node-paths.js";

/** A file that only grows, one record after another. */
export interface AppendFile {
  /**
   * Adds a record. Calls may overlap: they keep their order, and no record is inside another.
   *
   * @throws BitNetError FILE_WRITE. The file then ends with the record before.
   */
  append(text: string): Promise<void>;
  /** Flushes the file to the disk and closes it. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens or creates a file for appending.
 *
 * @param keptBytes length of the part to keep. The rest is cut, such as a record that a killed process began.
 * @throws BitNetError FILE_WRITE if it may not be written.
 */
export async function openAppendFile(path: string, keptBytes: number): Promise<AppendFile> {
  // No mode by letters creates a file and writes at given positions.
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT).catch((cause: unknown) => {
    throw writeFailed(path, cause);
  });
  try {
    await handle.truncate(keptBytes);
    await syncFolder(dirname(path));
  } catch (cause) {
    await handle.close();
    throw writeFailed(path, cause);
  }
  let position = keptBytes;
  let last: Promise<void> = Promise.resolve();
  let closing: Promise<void> | undefined;

  async function write(bytes: Uint8Array): Promise<void> {
    await requireSize(path, handle, position);
    try {
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
      }
    } catch (cause) {
      // A full disk may have taken a part of the record. If cutting it fails too, the next run cuts it.
      await handle.truncate(position).catch(() => undefined);
      throw writeFailed(path, cause);
    }
    position += bytes.length;
  }

  return {
    append(text) {
      const bytes = new TextEncoder().encode(text);
      const written = last.then(() => write(bytes));
      // After a failure, the next record is tried at the same position.
      last = written.catch(() => undefined);
      return written;
    },
    close() {
      closing ??= last
        .then(() => handle.sync())
        .catch((cause: unknown) => {
          throw writeFailed(path, cause);
        })
        .finally(() => handle.close());
      return closing;
    },
  };
}

/** Notices a second writer before records are overwritten: a suspended process loses its lock. */
async function requireSize(path: string, handle: FileHandle, size: number): Promise<void> {
  const now = await handle.stat().catch((cause: unknown) => {
    throw writeFailed(path, cause);
  });
  if (now.size === size) return;
  throw new BitNetError(
    "FILE_WRITE",
    `Cannot write "${path}": another program has changed it, from ${size} to ${now.size} bytes; end that program, then run the command again`,
    { details: { path } },
  );
}
