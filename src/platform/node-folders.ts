import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { writeFailed } from "./node-file-sink.js";

/** Facts about a path, without opening it. */
export interface PathStatus {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly bytes: number;
  readonly lastUsedMs: number;
  /** The same for two names of one file. */
  readonly identity: string;
}

/** @returns undefined if the path does not exist or may not be inspected */
export async function pathStatus(path: string, links: "follow" | "show"): Promise<PathStatus | undefined> {
  try {
    const status = await (links === "follow" ? stat(path) : lstat(path));
    return {
      kind: status.isFile()
        ? "file"
        : status.isDirectory()
          ? "folder"
          : status.isSymbolicLink()
            ? "link"
            : "other",
      bytes: status.size,
      lastUsedMs: status.atimeMs,
      identity: `${status.dev}:${status.ino}`,
    };
  } catch {
    return undefined;
  }
}

/** Sorted names in a folder. Empty if it cannot be read. */
export async function folderNames(path: string): Promise<readonly string[]> {
  return (await readdir(path).catch(() => [])).sort();
}

/** The text of a small file. Undefined if it does not exist or is larger than that. */
export async function readSmallText(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    if ((await stat(path)).size > maxBytes) return undefined;
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The target of a symbolic link, existing or not. Undefined if the path is not such a link. */
export async function linkTarget(path: string): Promise<string | undefined> {
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? undefined : resolve(dirname(path), target);
}

/** @throws BitNetError FILE_WRITE */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw writeFailed(path, cause);
  });
}

/**
 * Replaces the text of a file. Readers see the old text or the new one, never a part.
 * @throws BitNetError FILE_WRITE
 */
export async function replaceText(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailed(path, cause);
  }
}

/**
 * Gives a file a second name, which may replace another file. By a relative symbolic link; by a hard link if
 * the host allows none, as Windows without developer mode; by moving the file if the disk has neither.
 * @throws BitNetError FILE_WRITE
 */
export async function linkFile(file: string, name: string): Promise<void> {
  const temporary = join(dirname(name), `.${crypto.randomUUID().slice(0, 8)}.tmp`);
  try {
    await mkdir(dirname(name), { recursive: true });
    await symlink(relative(dirname(name), file), temporary, "file")
      .catch(() => link(file, temporary))
      .catch(() => rename(file, temporary));
    await rename(temporary, name);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailed(name, cause);
  }
}

/**
 * Removes a file, a link or a folder with its contents. Links are not followed.
 * @throws BitNetError FILE_WRITE
 */
export async function removePath(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch((cause: unknown) => {
    throw writeFailed(path, cause);
  });
}

/** Records that a file was used now: on many disks, reading does not. Best effort. */
export async function markUsed(path: string): Promise<void> {
  try {
    const { mtime } = await stat(path);
    await utimes(path, new Date(), mtime);
  } catch {
    // A read-only cache can still be read.
  }
}

/** Free bytes on the disk of a folder. Undefined if the host does not say. */
export async function freeDiskBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
