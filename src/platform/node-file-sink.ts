import { open, rename, rm, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BitNetError } from "../errors.js";
import type { FileSink } from "./file-sink.js";

const pieceBytes = 8 * 2 ** 20;

/**
 * Begins a file beside `path` under a temporary name. `commit` flushes and renames it, so `path` never names
 * half a file.
 *
 * @throws BitNetError FILE_WRITE if the folder is missing or read-only, or `path` is not a regular file.
 */
export async function createFileSink(path: string): Promise<FileSink> {
  const existing = await stat(path).catch(() => undefined);
  // The rename would replace a device such as /dev/null by a file.
  if (existing && !existing.isFile()) {
    const what = existing.isDirectory() ? "it is a folder" : "it is not a regular file";
    throw writeFailed(path, new Error(what));
  }

  // In the same folder: a rename is atomic only within one file system.
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  const handle = await open(temporary, "wx").catch((cause: unknown) => {
    throw writeFailed(path, cause);
  });
  return fileSink(path, temporary, handle);
}

function fileSink(path: string, temporary: string, handle: FileHandle): FileSink {
  let position = 0;
  let state: "open" | "committed" | "discarded" = "open";
  const requireOpen = (): void => {
    if (state !== "open") throw new BitNetError("DISPOSED", `Cannot write "${path}": it has been ${state}`);
  };

  return {
    name: path,
    async write(bytes) {
      requireOpen();
      // Before the first await, so that overlapping calls keep their order.
      const begin = position;
      position += bytes.length;
      try {
        for (let done = 0; done < bytes.length;) {
          const length = Math.min(pieceBytes, bytes.length - done);
          done += (await handle.write(bytes, done, length, begin + done)).bytesWritten;
        }
      } catch (cause) {
        throw writeFailed(path, cause);
      }
    },
    async commit() {
      requireOpen();
      try {
        await handle.sync();
        await handle.close();
        await rename(temporary, path);
        state = "committed";
      } catch (cause) {
        throw writeFailed(path, cause);
      }
      await syncFolder(dirname(path));
    },
    async discard() {
      if (state !== "open") return;
      state = "discarded";
      await handle.close().catch(ignore);
      await rm(temporary, { force: true }).catch(ignore);
    },
  };
}

/** Makes the rename durable. Best effort: Windows and some file systems cannot sync a folder. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(ignore);
  await handle?.sync().catch(ignore);
  await handle?.close().catch(ignore);
}

function ignore(): undefined {
  return undefined;
}

/** The error for a path that cannot be written, with the host's reason. */
export function writeFailed(path: string, cause: unknown): BitNetError {
  return new BitNetError("FILE_WRITE", `Cannot write "${path}": ${whyUnwritable(cause)}`, {
    cause,
    details: { path },
  });
}

function whyUnwritable(cause: unknown): string {
  switch ((cause as { code?: unknown } | undefined)?.code) {
    case "ENOENT":
      return "its folder does not exist";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "writing there is not permitted";
    case "ENOSPC":
    case "EDQUOT":
      return "no space is left";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}
