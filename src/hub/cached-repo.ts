import { folderNames, pathStatus, readSmallText } from "../platform/node-folders.js";
import { join } from "../platform/node-paths.js";
import { blobPath, isPartial, refPath, repoOfFolder, snapshotPath, urlFilePath } from "./cache-layout.js";
import { type SnapshotFile, snapshotFiles } from "./cached-model.js";
import { parseRemoteName, revisionProblem } from "./model-name.js";
import { isCommit } from "./remote-file.js";
import type { HubSettings } from "./settings.js";

/** A folder of the cache: the files of one repository or of one URL. */
export interface CachedRepo {
  readonly folder: string;
  /** "owner/repo", or the URL without its query. */
  readonly title: string;
  readonly kind: "hub" | "url";
  readonly snapshots: readonly Snapshot[];
  /** Bytes of unfinished downloads. */
  readonly unfinishedBytes: number;
}

export interface Snapshot {
  readonly commit: string;
  /** Branches and tags that pointed to this commit at the last request. */
  readonly revisions: readonly string[];
  readonly files: readonly SnapshotFile[];
}

/**
 * Reads the whole cache. Other programs share it, so it may contain anything. Unknown entries are skipped.
 */
export async function readCache(settings: HubSettings): Promise<readonly CachedRepo[]> {
  const repos: CachedRepo[] = [];
  for (const name of await folderNames(settings.hubFolder)) {
    const title = repoTitle(name);
    if (title === undefined) continue;
    const repo = await readRepo(join(settings.hubFolder, name), title, "hub");
    if (repo !== undefined) repos.push(repo);
  }
  for (const name of await folderNames(settings.urlFolder)) {
    const folder = join(settings.urlFolder, name);
    const title = await urlTitle(folder);
    if (title === undefined) continue;
    const repo = await readRepo(folder, title, "url");
    if (repo !== undefined) repos.push(repo);
  }
  return repos;
}

/** @returns undefined if there is no such folder, or only a link to one */
export async function readRepo(
  folder: string,
  title: string,
  kind: CachedRepo["kind"],
): Promise<CachedRepo | undefined> {
  if ((await pathStatus(folder, "show"))?.kind !== "folder") return undefined;
  const revisions = await readRefs(folder);
  const snapshots: Snapshot[] = [];
  for (const commit of await ownNames(join(folder, "snapshots"))) {
    const isFolder = (await pathStatus(snapshotPath(folder, commit), "show"))?.kind === "folder";
    if (!isCommit(commit) || !isFolder) continue;
    const files = await snapshotFiles(folder, commit);
    snapshots.push({ commit, revisions: revisions.get(commit) ?? [], files });
  }
  let unfinishedBytes = 0;
  for (const name of await ownNames(join(folder, "blobs"))) {
    if (isPartial(name)) unfinishedBytes += (await pathStatus(blobPath(folder, name), "show"))?.bytes ?? 0;
  }
  return { folder, title, kind, snapshots, unfinishedBytes };
}

/** Names in a folder. Empty for a link to a folder elsewhere: results may be removed later. */
async function ownNames(path: string): Promise<readonly string[]> {
  return (await pathStatus(path, "show"))?.kind === "folder" ? folderNames(path) : [];
}

function repoTitle(folderName: string): string | undefined {
  const repo = repoOfFolder(folderName);
  if (repo === undefined) return undefined;
  try {
    const name = parseRemoteName(`hf:${repo}`);
    return name.kind === "hub" && name.repo === repo && name.file === undefined ? repo : undefined;
  } catch {
    return undefined;
  }
}

async function urlTitle(folder: string): Promise<string | undefined> {
  const text = (await readSmallText(urlFilePath(folder), 4096))?.trim();
  return text !== undefined && /^https?:\/\/[^\p{Cc}]+$/u.test(text) ? text : undefined;
}

const deepestRef = 8;

/** The branches and tags of each commit. */
async function readRefs(folder: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, string[]>();
  async function walk(path: string, depth: number): Promise<void> {
    const location = path === "" ? join(folder, "refs") : refPath(folder, path);
    for (const name of await ownNames(location)) {
      const revision = path === "" ? name : `${path}/${name}`;
      const status = await pathStatus(join(location, name), "show");
      if (status?.kind === "folder" && depth < deepestRef) await walk(revision, depth + 1);
      if (status?.kind !== "file" || revisionProblem(revision) !== undefined) continue;
      const commit = (await readSmallText(join(location, name), 200))?.trim();
      if (commit === undefined || !isCommit(commit)) continue;
      names.set(commit, [...(names.get(commit) ?? []), revision]);
    }
  }
  await walk("", 0);
  return names;
}
