import { folderNames, markUsed, pathStatus, readSmallText } from "../platform/node-folders.js";
import { readRef, repoFolder, snapshotPath } from "./cache-layout.js";
import { chooseModel, ggufFiles, ggufPaths, type ModelChoice } from "./choose-files.js";
import { defaultRevision, type RemoteName } from "./model-name.js";
import type { HubSettings } from "./settings.js";

/** A file of a snapshot. */
export interface SnapshotFile {
  /** Path in the repository. */
  readonly path: string;
  /** Path on disk. */
  readonly location: string;
  readonly size: number;
  readonly lastUsedMs: number;
  readonly identity: string;
}

/** A model that can be loaded without the network. */
export interface CachedModel {
  readonly kind: "gguf" | "checkpoint";
  readonly commit: string;
  /** A GGUF file or a checkpoint folder. */
  readonly path: string;
  readonly files: readonly SnapshotFile[];
}

/** Finds a model as of the last request. Undefined if the cache lacks a part of it. */
export async function findCached(settings: HubSettings, name: RemoteName): Promise<CachedModel | undefined> {
  const folder = repoFolder(settings, name);
  const commit = await readRef(folder, name.kind === "hub" ? name.revision : defaultRevision);
  if (commit === undefined) return undefined;
  const choice = choose(name, await snapshotFiles(folder, commit));
  if (choice.kind === "gguf" && isWhole(choice.files)) {
    const [first] = choice.files;
    for (const { location } of choice.files) await markUsed(location);
    return first && { kind: "gguf", commit, path: first.location, files: choice.files };
  }
  if (choice.kind === "checkpoint" && (await isComplete(choice.files))) {
    for (const { location } of choice.files) await markUsed(location);
    return { kind: "checkpoint", commit, path: snapshotPath(folder, commit), files: choice.files };
  }
  return undefined;
}

function choose(name: RemoteName, all: readonly SnapshotFile[]): ModelChoice<SnapshotFile> {
  if (name.kind === "hub" && name.file === undefined) return chooseModel(all);
  // A URL has only one.
  const files = name.kind === "url" ? all.slice(0, 1) : ggufFiles(all, name.file ?? "");
  return files.length === 0 ? { kind: "none" } : { kind: "gguf", files };
}

/** Whether all parts of a GGUF model are there. */
export function isWhole(files: readonly SnapshotFile[]): boolean {
  return files.length === ggufPaths(files[0]?.path ?? "").length;
}

const deepest = 16;
const maxIndexBytes = 64 * 2 ** 20;

/** Files of a snapshot with their bytes in the cache. */
export async function snapshotFiles(folder: string, commit: string): Promise<readonly SnapshotFile[]> {
  const found: SnapshotFile[] = [];
  async function walk(location: string, path: string, depth: number): Promise<void> {
    for (const name of await folderNames(location)) {
      const inner = `${location}/${name}`;
      const shown = await pathStatus(inner, "show");
      if (shown?.kind === "folder" && depth < deepest) await walk(inner, `${path}${name}/`, depth + 1);
      // Links to files are followed. Links to folders do not belong to this layout and could form a loop.
      if (shown?.kind !== "file" && shown?.kind !== "link") continue;
      const status = await pathStatus(inner, "follow");
      if (status?.kind !== "file") continue;
      const { bytes: size, lastUsedMs, identity } = status;
      found.push({ path: path + name, location: inner, size, lastUsedMs, identity });
    }
  }
  await walk(snapshotPath(folder, commit), "", 0);
  return found;
}

/**
 * Whether a checkpoint folder is complete: other programs may have fetched only some files. The index names
 * every file of weights. Without an index there is one such file.
 */
export async function isComplete(files: readonly SnapshotFile[]): Promise<boolean> {
  const names = new Set(files.map(({ path }) => path));
  if (![...names].some((name) => name.startsWith("tokenizer"))) return false;
  const index = files.find(({ path }) => path.endsWith(".safetensors.index.json"));
  if (index === undefined) return ![...names].some((name) => /-\d+-of-\d+\.safetensors$/.test(name));
  const shards = parseIndex(await readSmallText(index.location, maxIndexBytes));
  return shards?.every((shard) => names.has(shard)) ?? false;
}

function parseIndex(text: string | undefined): readonly string[] | undefined {
  try {
    const { weight_map: map } = JSON.parse(text ?? "") as { readonly weight_map?: unknown };
    return typeof map === "object" && map !== null ? Object.values(map).map(String) : undefined;
  } catch {
    return undefined;
  }
}
