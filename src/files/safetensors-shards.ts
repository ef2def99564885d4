import { BitNetError, throwIfAborted } from "../errors.js";
import type { ByteSource } from "../platform/byte-source.js";
import type { Folder } from "../platform/folder.js";
import { JsonCursor } from "./json-cursor.js";
import { openSafetensors, type SafetensorsTensor } from "./safetensors.js";

/** All tensors of a checkpoint, from all of its files. */
export interface SafetensorsSet {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  /** The files, open. */
  readonly sources: readonly ByteSource[];
  close(): Promise<void>;
}

/** The names that transformers looks for, in its order. */
const single = "model.safetensors";
const indexName = "model.safetensors.index.json";

const maxIndexBytes = 64 * 2 ** 20;
/** The largest published checkpoints have a few hundred. */
const maxShards = 4096;

/** An entry of an index: the shard of a tensor, and the entry's offset. */
type Index = ReadonlyMap<string, { readonly shard: string; readonly offset: number }>;

/**
 * Opens the safetensors files of a checkpoint folder: `model.safetensors`, or the shards in
 * `model.safetensors.index.json`.
 *
 * Index and shards must agree. Every shard exists. Every tensor is in the shard that the index names, and in
 * no other. No shard has a tensor outside the index.
 *
 * @throws BitNetError FILE_NOT_FOUND for a folder without weights and for missing shards; FILE_CORRUPT with
 *   the byte's offset as `details.offset` and the file as `details.file`; FILE_READ; the signal's reason.
 *   Nothing stays open then.
 */
export async function openSafetensorsSet(
  folder: Folder,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SafetensorsSet> {
  if (folder.files.has(single)) return openShards(folder, [single], undefined, options.signal);
  if (!folder.files.has(indexName)) throw noWeights(folder);

  const index = await readIndex(folder);
  const shards = [...new Set(Array.from(index.values(), ({ shard }) => shard))];
  const missing = shards.filter((shard) => !folder.files.has(shard));
  if (missing.length > 0) {
    throw new BitNetError(
      "FILE_NOT_FOUND",
      `Cannot open "${folder.name}": ${missing.length} of ${shards.length} shards that ${indexName} names are missing ` +
        `(the first is "${missing[0] ?? ""}"); is the download complete?`,
      { details: { path: folder.name, missing } },
    );
  }
  return openShards(folder, shards, index, options.signal);
}

async function readIndex(folder: Folder): Promise<Index> {
  const source = await folder.open(indexName);
  try {
    if (source.size > maxIndexBytes) {
      throw new BitNetError(
        "FILE_CORRUPT",
        `Cannot read "${source.name}": an index of ${source.size} bytes is more than the ${maxIndexBytes} accepted`,
        { details: { offset: 0, file: indexName } },
      );
    }
    return parseIndex(source.name, await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

function parseIndex(name: string, bytes: Uint8Array): Index {
  const cursor = new JsonCursor(name, bytes);
  const index = new Map<string, { readonly shard: string; readonly offset: number }>();
  const shards = new Set<string>();
  let found = false;
  cursor.object("the index", (key) => {
    if (key !== "weight_map") return cursor.skip(`the value of ${JSON.stringify(key)}`);
    found = true;
    cursor.object("weight_map", (tensor, offset) => {
      const shard = cursor.string(`the shard of tensor ${JSON.stringify(tensor)}`);
      if (!isShardName(shard)) {
        throw cursor.corrupt(
          `tensor ${JSON.stringify(tensor)} is listed in ${JSON.stringify(shard.slice(0, 200))}, which is not the name of a .safetensors file in the folder`,
          offset,
        );
      }
      shards.add(shard);
      if (shards.size > maxShards) throw cursor.corrupt(`it names more than ${maxShards} shards`, offset);
      index.set(tensor, { shard, offset });
    });
  });
  cursor.end("the index");
  if (!found || index.size === 0) throw cursor.corrupt("it has no weight_map, or an empty one", 0);
  return index;
}

/** A file of the folder itself: an index must not reach into other folders. */
function isShardName(name: string): boolean {
  return name.length <= 255 && /^[^./\\:][^/\\:\p{Cc}]*\.safetensors$/u.test(name) && !name.includes("..");
}

async function openShards(
  folder: Folder,
  shards: readonly string[],
  index: Index | undefined,
  signal: AbortSignal | undefined,
): Promise<SafetensorsSet> {
  const sources: ByteSource[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    const tensors = new Map<string, SafetensorsTensor>();
    for (const shard of shards) {
      throwIfAborted(signal);
      const source = await folder.open(shard);
      sources.push(source);
      const file = await openSafetensors(source, { signal });
      for (const tensor of file.tensors.values()) {
        if (index !== undefined) requireListed(tensor, shard, index);
        tensors.set(tensor.name, tensor);
      }
    }
    for (const [name, { shard, offset }] of index ?? []) {
      if (!tensors.has(name))
        throw indexWrong(folder, `"${shard}" has no tensor ${JSON.stringify(name)}`, offset);
    }
    return { tensors, sources, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function requireListed(tensor: SafetensorsTensor, shard: string, index: Index): void {
  const listed = index.get(tensor.name);
  if (listed?.shard === shard) return;
  const where = listed === undefined ? "does not list" : `lists in "${listed.shard}"`;
  throw new BitNetError(
    "FILE_CORRUPT",
    `Cannot read "${tensor.source.name}": it has tensor ${JSON.stringify(tensor.name)}, which ${indexName} ${where} (at byte ${tensor.headerOffset})`,
    { details: { offset: tensor.headerOffset, file: shard, tensor: tensor.name } },
  );
}

function indexWrong(folder: Folder, what: string, offset: number): BitNetError {
  return new BitNetError(
    "FILE_CORRUPT",
    `Cannot read "${folder.name}": ${indexName} is wrong: ${what} (at byte ${offset})`,
    { details: { offset, file: indexName } },
  );
}

/** Other files with weights, each with advice. */
const otherWeights: readonly (readonly [RegExp, string])[] = [
  [
    /\.safetensors$/,
    `it has safetensors files but neither ${single} nor ${indexName}, so their order is unknown`,
  ],
  [/\.gguf$/, "it has GGUF files: name one of them instead of the folder"],
  [/\.(bin|pth?|ckpt)$/, "its weights are a PyTorch checkpoint; save them as safetensors first"],
  [/\.(h5|msgpack|onnx)$/, "its weights are not in safetensors"],
];

function noWeights(folder: Folder): BitNetError {
  const files = [...folder.files];
  const [, why = `it has no ${single}`] =
    otherWeights.find(([pattern]) => files.some((file) => pattern.test(file))) ?? [];
  return new BitNetError("FILE_NOT_FOUND", `Cannot open "${folder.name}" as a checkpoint: ${why}`, {
    details: { path: folder.name },
  });
}
