import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { throwIfAborted } from "../errors.js";
import { syncFolder, writeFailed } from "./node-file-sink.js";
import type { ChecksumAlgorithm, PartialFile } from "./partial-file.js";

export interface PartialFileOptions {
  /** Length of the complete file. Undefined if it is unknown. */
  readonly size: number | undefined;
  readonly checksum: ChecksumAlgorithm | undefined;
  /** Whether bytes of an earlier run may be kept. */
  readonly resume: boolean;
  readonly signal?: AbortSignal | undefined;
}

const pieceBytes = 4 * 2 ** 20;

/**
 * Opens or creates a partial file. Bytes of an earlier run are read once, for the checksum.
 *
 * Bytes are written at their position, not appended: two processes that fill one file write the same bytes.
 *
 * @throws BitNetError FILE_WRITE if it may not be written.
 */
export async function openPartialFile(path: string, options: PartialFileOptions): Promise<PartialFile> {
  const { size, checksum: algorithm, resume, signal } = options;
  const handle = await openOrCreate(path);
  let position = 0;
  let hash = startHash(algorithm, size);
  let closing: Promise<void> | undefined;

  try {
    const existing = (await handle.stat()).size;
    // A file longer than the complete one cannot be a part of it.
    const usable = resume && (size === undefined || existing <= size);
    if (!usable) await handle.truncate(0);
    else if (hash === undefined) position = existing;
    else position = await readAll(handle, hash, signal);
  } catch (cause) {
    await handle.close();
    throwIfAborted(signal);
    throw writeFailed(path, cause);
  }

  const file: PartialFile = {
    get position() {
      return position;
    },
    async append(bytes) {
      try {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
          done += bytesWritten;
        }
      } catch (cause) {
        throw writeFailed(path, cause);
      }
      hash?.update(bytes);
      position += bytes.length;
    },
    async restart() {
      // Not truncated: another process may be reading or writing the same bytes of the same file.
      position = 0;
      hash = startHash(algorithm, size);
    },
    checksum: () => hash?.digest("hex"),
    async commit(target) {
      try {
        // Without a known length, the file of an earlier run may have been longer.
        await handle.truncate(position);
        await handle.sync();
        await file.close();
        await rename(path, target);
      } catch (cause) {
        throw writeFailed(target, cause);
      }
      await syncFolder(dirname(target));
    },
    close() {
      closing ??= handle.close();
      return closing;
    },
    async discard() {
      await file.close();
      await rm(path, { force: true }).catch((cause: unknown) => {
        throw writeFailed(path, cause);
      });
    },
  };
  return file;
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+").catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error;
      return open(path, "wx+").catch(() => open(path, "r+"));
    });
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

function startHash(algorithm: ChecksumAlgorithm | undefined, size: number | undefined): Hash | undefined {
  if (algorithm === "sha256") return createHash("sha256");
  // Git hashes a header with the length first. Without a length there is nothing to compare with.
  if (algorithm === "git-sha1" && size !== undefined) return createHash("sha1").update(`blob ${size}\0`);
  return undefined;
}

async function readAll(handle: FileHandle, hash: Hash, signal: AbortSignal | undefined): Promise<number> {
  const buffer = new Uint8Array(pieceBytes);
  for (let position = 0; ;) {
    throwIfAborted(signal);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}
