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
  createWritable(): Promise<{ write(blob: Blob): Promise<void>; close(): Promise<void> }>;
}
declare const navigator: { readonly storage?: { getDirectory?(): Promise<Directory> } };

/** Opens the page's private file system. Without one, as in some private windows, blobs stay in memory. */
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
        const writable = await handle.createWritable();
        await writable.write(blob);
        await writable.close();
        return await handle.getFile();
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
