import { openModelFile } from "../files/index.js";
import type { ModelFile } from "../files/model-file.js";
import type { ByteSource } from "../platform/byte-source.js";
import type { Folder } from "../platform/folder.js";
import { isFolder, openFileSource, openFolder } from "../platform/node.js";
import { join } from "../platform/node-paths.js";
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
  return (await isFolder(path))
    ? checkpointModel(await openFolder(path))
    : fileOnDisk(await openFileSource(path));
}

function fileOnDisk(source: ByteSource): OpenableModel {
  return { ...fileModel(source), paths: [source.name] };
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
