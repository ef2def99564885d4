import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BitNetError } from "../errors.js";
import type { Folder } from "./folder.js";
import { openFileSource } from "./node-file-source.js";

/** Far more than any checkpoint has. Listing a home folder by mistake must still end soon. */
const maxFiles = 100_000;

/** Whether a path or a `file:` URL names a folder. False if it does not exist. */
export async function isFolder(path: string | URL): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

/** An identity of the file, the same for all its names. Undefined if the path does not exist. */
export async function fileIdentity(path: string | URL): Promise<string | undefined> {
  const status = await stat(path, { bigint: true }).catch(() => undefined);
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}

/** sentence-transformers keeps its modules in folders such as "1_Pooling". */
async function filesOfModules(folder: string, entries: readonly string[]): Promise<readonly string[]> {
  const modules = entries.filter((entry) => /^\d+_[A-Za-z]+$/.test(entry));
  const lists = modules.map(async (module) => {
    const files = await readdir(join(folder, module)).catch(() => []);
    return files.map((file) => `${module}/${file}`);
  });
  return (await Promise.all(lists)).flat();
}

/**
 * Lists a folder. Links to files are followed: in the Hugging Face cache, checkpoints are folders of links.
 *
 * @throws BitNetError FILE_NOT_FOUND if it is not a folder, or may not be read.
 */
export async function openFolder(path: string | URL): Promise<Folder> {
  const name = typeof path === "string" ? path : fileURLToPath(path);
  let entries: readonly string[];
  try {
    entries = await readdir(name);
    entries = [...entries, ...(await filesOfModules(name, entries))];
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BitNetError("FILE_NOT_FOUND", `Cannot open the folder "${name}": ${why}`, {
      cause,
      details: { path: name },
    });
  }
  const files = new Set(entries.slice(0, maxFiles));
  return {
    name,
    files,
    async open(file) {
      // Names may come from a file, so only listed names are opened: no "../" and no separator of any host.
      if (files.has(file)) return openFileSource(join(name, file));
      throw new BitNetError("FILE_NOT_FOUND", `Cannot open "${file}": "${name}" has no such file`, {
        details: { path: join(name, file) },
      });
    },
  };
}
