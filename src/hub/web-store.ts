import { BitNetError } from "../errors.js";

/** Blobs by name that survive the page. */
export interface BlobStore {
  find(name: string): Promise<Blob | undefined>;
  /** @returns the kept blob, whose bytes are on disk and not in memory. */
  keep(name: string, blob: Blob): Promise<Blob>;
  /** Removes a blob, if it is there. */
  remove(name: string): Promise<void>;
}

/** The parts of OPFS that this file uses. The types of the DOM are not among the compiler's. */
interface Directory {
  getDirectoryHandle(name: string, options: { readonly create: boolean }): Promise<Directory>;
  getFileHandle(name: string, options?: { readonly create: boolean }): Promise<FileHandle>;
  removeEntry(name: string): Promise<void>;
}
interface FileHandle {
  getFile(): Promise<Blob>;
  /** Safari has it since version 26. */
  createWritable?(): Promise<{ write(blob: Blob): Promise<void>; close(): Promise<void> }>;
  /** Only in workers. */
  createSyncAccessHandle?(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array): number;
    close(): void;
  }>;
}
declare const navigator: { readonly storage?: { getDirectory?(): Promise<Directory> } };

/**
 * Opens the page's private file system. Without one, as in some private windows, blobs stay in memory. They
 * also do where a browser cannot write to it, as Safari before version 26 in the thread of a page.
 */
export async function openBlobStore(): Promise<BlobStore> {
  let folder: Directory | undefined;
  try {
    const root = await navigator.storage?.getDirectory?.();
    folder = await root?.getDirectoryHandle("bitnet-wasm", { create: true });
  } catch {
    folder = undefined;
  }
  if (folder === undefined) {
    return { find: async () => undefined, keep: async (_, blob) => blob, remove: async () => undefined };
  }
  return fileStore(folder);
}

function fileStore(folder: Directory): BlobStore {
  return {
    async find(name) {
      try {
        return await (await folder.getFileHandle(name)).getFile();
      } catch {
        return undefined;
      }
    },
    async keep(name, blob) {
      try {
        const handle = await folder.getFileHandle(name, { create: true });
        if (await write(handle, blob)) return await handle.getFile();
        await folder.removeEntry(name);
        return blob;
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new BitNetError("FILE_WRITE", `Cannot keep the model in this browser: ${why}`, { cause });
      }
    },
    async remove(name) {
      try {
        await folder.removeEntry(name);
      } catch {
        // It is not there.
      }
    },
  };
}

/** @returns whether this browser can write to the file from this thread. */
async function write(handle: FileHandle, blob: Blob): Promise<boolean> {
  if (handle.createWritable !== undefined) {
    const writable = await handle.createWritable();
    await writable.write(blob);
    await writable.close();
    return true;
  }
  if (handle.createSyncAccessHandle === undefined) return false;
  const file = await handle.createSyncAccessHandle();
  try {
    // The file may be there already, and longer.
    file.truncate(0);
    const written = file.write(new Uint8Array(await blob.arrayBuffer()));
    if (written !== blob.size) throw new Error(`only ${written} of ${blob.size} bytes could be written`);
  } finally {
    file.close();
  }
  return true;
}
