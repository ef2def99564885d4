import { BitNetError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import type { Folder } from "./folder.js";

function noFiles(path: string | URL): BitNetError {
  return new BitNetError(
    "FILE_NOT_FOUND",
    `Cannot open "${String(path)}": a browser has no paths; give a File, a Blob, bytes, an https: URL or "hf:owner/repo"`,
  );
}

/** @throws BitNetError FILE_NOT_FOUND: pages cannot open paths. */
export async function openFileSource(path: string | URL): Promise<ByteSource> {
  throw noFiles(path);
}

/** @throws BitNetError FILE_NOT_FOUND: pages cannot open paths. */
export async function openFolder(path: string | URL): Promise<Folder> {
  throw noFiles(path);
}

export async function isFolder(): Promise<boolean> {
  return false;
}

export function join(...parts: readonly string[]): string {
  return parts.join("/");
}
