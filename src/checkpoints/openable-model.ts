import { BitNetError } from "../errors.js";
import { openModelFile } from "../files/index.js";
import type { ModelFile } from "../files/model-file.js";
import { joinParts, partPaths } from "../files/split-gguf.js";
import type { ByteSource } from "../platform/byte-source.js";
import type { Folder } from "../platform/folder.js";
import { isFolder, join, openFileSource, openFolder } from "#platform";
import { type CheckpointOptions, openCheckpoint } from "./open-checkpoint.js";

/** A model that was found and is not open yet. */
export interface OpenableModel {
  /** Name for messages. */
  readonly name: string;
  /** Length of the file. Undefined for a folder, whose files are found when it is opened. */
  readonly size: number | undefined;
  /** Paths of the files on disk that it may read. */
  readonly paths: readonly string[];
  /** Reads everything but the weights. The result's `source` closes all opened files. */
  open(options: CheckpointOptions): Promise<ModelFile>;
  /** Closes the opened file; idempotent. */
  close(): Promise<void>;
}

/**
 * Finds a model: a file of any container, or the folder of a checkpoint.
 * @throws BitNetError FILE_NOT_FOUND
 */
export async function findModel(path: string | URL): Promise<OpenableModel> {
  if (await isFolder(path)) return checkpointModel(await openFolder(path));
  const source = await openFileSource(path);
  const paths = partPaths(source.name);
  return paths === undefined ? { ...fileModel(source), paths: [source.name] } : splitModel(source, paths);
}

/** A model in several files, one of which has been found. */
async function splitModel(found: ByteSource, paths: readonly string[]): Promise<OpenableModel> {
  const sources: ByteSource[] = [];
  const close = async (): Promise<void> => {
    await Promise.all([found, ...sources].map((source) => source.close()));
  };
  try {
    for (const path of paths) sources.push(path === found.name ? found : await openFileSource(path));
  } catch (error) {
    await close();
    if (!(error instanceof BitNetError)) throw error;
    throw new BitNetError(
      error.code,
      `Cannot open "${found.name}": it is one of ${paths.length} parts, and another cannot be opened. ${error.message}`,
      { cause: error, details: error.details },
    );
  }
  return {
    name: found.name,
    size: sources.reduce((sum, { size }) => sum + size, 0),
    paths,
    async open(options) {
      const parts: ModelFile[] = [];
      for (const source of sources) parts.push(await openModelFile(source, options));
      const file = joinParts(parts);
      return { ...file, source: { ...file.source, close } };
    },
    close,
  };
}

/** A model in the bytes of one file. */
export function fileModel(source: ByteSource): OpenableModel {
  return {
    name: source.name,
    size: source.size,
    paths: [],
    open: (options) => openModelFile(source, options),
    close: () => source.close(),
  };
}

/** A model in a folder. */
export function checkpointModel(folder: Folder): OpenableModel {
  let opened: ModelFile | undefined;
  return {
    name: folder.name,
    size: undefined,
    // GGUF files in the folder do not belong to the checkpoint.
    paths: [...folder.files].filter((file) => !file.endsWith(".gguf")).map((file) => join(folder.name, file)),
    async open(options) {
      opened = await openCheckpoint(folder, options);
      return opened;
    },
    async close() {
      await opened?.source.close();
    },
  };
}
