import { constants, fstatSync, readSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { BitNetError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { allocateBytes, requireRange } from "./ranges.js";

/**
 * Bytes of one host read. Hosts refuse or cut reads of 2 GiB and more. 8 MiB keeps a slow disk from blocking
 * a pool thread for long. Larger pieces measured no faster.
 */
const pieceBytes = 8 * 2 ** 20;

/**
 * Opens a file for random access. Reads run on the host's thread pool, straight into the target. Asynchronous
 * reads into shared WebAssembly memory work on Node 20, 22 and 24, Deno 2.9 and Bun 1.4. They are as fast as
 * `readSync` and twice as fast as a bounce buffer (docs/DEPENDENCIES.md).
 *
 * @param path a path or a `file:` URL
 * @throws BitNetError FILE_NOT_FOUND if it does not exist, is not a regular file, or may not be read.
 */
export async function openFileSource(path: string | URL): Promise<ByteSource> {
  const name = typeof path === "string" ? path : pathOf(path);
  let handle: FileHandle | undefined;
  try {
    // Before open: opening a named pipe would wait for a writer.
    requireRegularFile(name, await stat(name));
    handle = await open(name, "r");
    const status = await handle.stat();
    requireRegularFile(name, status);
    return fileSource(name, handle, status);
  } catch (cause) {
    await handle?.close();
    throw cause instanceof BitNetError ? cause : notFound(name, whyUnreadable(cause), cause);
  }
}

/**
 * Facts that distinguish a changed file from the opened one. The inode of an open file changes only on
 * network file systems. A file whose name another file has taken stays readable.
 */
interface FileState {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

function fileSource(name: string, handle: FileHandle, opened: FileState): ByteSource {
  const { size } = opened;
  let closing: Promise<void> | undefined;
  let direct: Promise<FileHandle | undefined> | undefined;

  const source: ByteSource = {
    name,
    size,
    async read(offset, length) {
      requireRange(name, size, offset, length);
      const target = allocateBytes(name, length);
      await source.readInto(offset, target);
      return target;
    },
    async readInto(offset, target) {
      requireRange(name, size, offset, target.length);
      await fill(handle, offset, target);
      // After the read: a change before or during it is noticed, and the caller never uses the bytes.
      requireUnchanged(name, opened, await codedAsync(name, offset, () => handle.stat()));
    },
    async readUncached(offset, target) {
      requireRange(name, size, offset, target.length);
      direct ??= openDirect(name);
      const uncached = await direct;
      if (uncached === undefined) await source.readInto(offset, target);
      // Some file systems refuse only the read.
      else await fill(uncached, offset, target).catch(() => source.readInto(offset, target));
    },
    readIntoNow(offset, target) {
      requireRange(name, size, offset, target.length);
      if (closing) throw new BitNetError("DISPOSED", `Cannot read "${name}": it has been closed`);
      for (let done = 0; done < target.length;) {
        const position = offset + done;
        const count = coded(name, position, () =>
          readSync(handle.fd, target, done, target.length - done, position),
        );
        if (count === 0) throw shorter(name, position);
        done += count;
      }
      // Takes a microsecond, like the read itself.
      requireUnchanged(
        name,
        opened,
        coded(name, offset, () => fstatSync(handle.fd)),
      );
    },
    close() {
      closing ??= Promise.all([handle.close(), direct?.then((uncached) => uncached?.close())]).then(
        () => undefined,
      );
      return closing;
    },
  };

  async function fill(from: FileHandle, offset: number, target: Uint8Array): Promise<void> {
    for (let done = 0; done < target.length;) {
      if (closing) throw new BitNetError("DISPOSED", `Cannot read "${name}": it has been closed`);
      done += await readPiece(name, from, offset + done, target, done);
    }
  }
  return source;
}

/** Opens a file past the host's cache. Undefined where that is not possible: only Linux has the flag. */
async function openDirect(name: string): Promise<FileHandle | undefined> {
  const { O_DIRECT } = constants as Partial<typeof constants>;
  if (O_DIRECT === undefined) return undefined;
  return open(name, constants.O_RDONLY | O_DIRECT).catch(() => undefined);
}

/**
 * Reads at most one piece at `position` of the file to `begin` of `target`. Returns the bytes read, at least
 * one.
 */
async function readPiece(
  name: string,
  handle: FileHandle,
  position: number,
  target: Uint8Array,
  begin: number,
): Promise<number> {
  const length = Math.min(pieceBytes, target.length - begin);
  const { bytesRead } = await codedAsync(name, position, () => handle.read(target, begin, length, position));
  if (bytesRead > 0) return bytesRead;
  throw shorter(name, position);
}

/** Calls the host. @throws BitNetError FILE_READ if it fails. */
function coded<T>(name: string, position: number, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw unreadable(name, position, cause);
  }
}

async function codedAsync<T>(name: string, position: number, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw unreadable(name, position, cause);
  }
}

function unreadable(name: string, position: number, cause: unknown): BitNetError {
  return new BitNetError("FILE_READ", `Cannot read "${name}" at byte ${position}: ${messageOf(cause)}`, {
    cause,
    details: { offset: position },
  });
}

/** @throws BitNetError FILE_READ unless the file is as it was when it was opened. */
function requireUnchanged(name: string, opened: FileState, now: FileState): void {
  const { size, mtimeMs, ino } = opened;
  if (now.size === size && now.mtimeMs === mtimeMs && now.ino === ino) return;
  throw new BitNetError(
    "FILE_READ",
    `Cannot read "${name}": the file has changed since it was opened; open it again`,
    { details: { path: name } },
  );
}

function shorter(name: string, position: number): BitNetError {
  return new BitNetError(
    "FILE_READ",
    `Cannot read "${name}" at byte ${position}: the file has become shorter since it was opened`,
    { details: { offset: position } },
  );
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw notFound(url.href, "only file: URLs name local files", cause);
  }
}

function requireRegularFile(name: string, status: { isFile(): boolean; isDirectory(): boolean }): void {
  if (status.isFile()) return;
  throw notFound(name, status.isDirectory() ? "it is a folder, not a file" : "it is not a regular file");
}

function whyUnreadable(cause: unknown): string {
  switch ((cause as { code?: unknown } | undefined)?.code) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "reading it is not permitted";
    default:
      return messageOf(cause);
  }
}

function notFound(name: string, why: string, cause?: unknown): BitNetError {
  return new BitNetError("FILE_NOT_FOUND", `Cannot open "${name}": ${why}`, {
    cause,
    details: { path: name },
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
