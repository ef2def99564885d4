import { sha256Hex } from "../platform/node-checksums.js";
import { linkFile, pathStatus, readSmallText, replaceText } from "../platform/node-folders.js";
import { join } from "../platform/node-paths.js";
import { type RemoteName, revisionProblem } from "./model-name.js";
import { isCommit } from "./remote-file.js";
import type { HubSettings } from "./settings.js";

/*
 * The layout of `huggingface_hub`, so that both programs can use the cache:
 *
 * models--owner--repo/refs/main the commit of "main" at the last request
 * models--owner--repo/snapshots/<commit>/<file> a link to models--owner--repo/blobs/<etag> the bytes
 *
 * Beside a blob we keep two files of our own: a partial download and its lock. A file from a URL has such a
 * folder too, with its URL in `url`.
 */

const partialSuffix = ".bitnet-partial";
const lockSuffix = ".bitnet-lock";

export function partialPath(blob: string): string {
  return blob + partialSuffix;
}

export function lockPath(blob: string): string {
  return blob + lockSuffix;
}

export function isPartial(name: string): boolean {
  return name.endsWith(partialSuffix);
}

export function isLock(name: string): boolean {
  return name.endsWith(lockSuffix);
}

/** The folder of a name's repository, or of a URL. */
export function repoFolder(settings: HubSettings, name: RemoteName): string {
  if (name.kind === "hub") return join(settings.hubFolder, `models--${name.repo.replace("/", "--")}`);
  return join(
    settings.urlFolder,
    `${new URL(name.url).hostname.replaceAll(/[^\w.-]/g, "_")}--${sha256Hex(name.url).slice(0, 16)}`,
  );
}

/** The file that holds the URL of a URL's folder. */
export function urlFilePath(folder: string): string {
  return join(folder, "url");
}

/** @returns "owner/repo" of a folder's name, undefined for other folders */
export function repoOfFolder(folderName: string): string | undefined {
  const [type, owner, repo, ...rest] = folderName.split("--");
  return type === "models" && owner !== undefined && repo !== undefined && rest.length === 0
    ? `${owner}/${repo}`
    : undefined;
}

export function blobPath(folder: string, version: string): string {
  // The etag comes from a server. A server must not choose a path on this disk.
  const safe = /^[\w-][\w.-]{0,127}$/.test(version) ? version : sha256Hex(version);
  return join(folder, "blobs", safe);
}

export function snapshotPath(folder: string, commit: string, file?: string): string {
  return join(folder, "snapshots", commit, ...(file?.split("/") ?? []));
}

export function refPath(folder: string, revision: string): string {
  return join(folder, "refs", ...revision.split("/"));
}

/** The commit of a revision at the last request. Undefined if it was never requested. */
export async function readRef(folder: string, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  if (revisionProblem(revision) !== undefined) return undefined;
  const text = (await readSmallText(refPath(folder, revision), 200))?.trim();
  return text !== undefined && isCommit(text) ? text : undefined;
}

export async function writeRef(folder: string, revision: string, commit: string): Promise<void> {
  // Only when it changed: a read-only cache may be up to date too.
  if ((await readRef(folder, revision)) !== commit) await replaceText(refPath(folder, revision), commit);
}

/**
 * Links a blob into a commit, unless the link exists.
 * @returns the path of the link
 */
export async function linkSnapshot(
  folder: string,
  commit: string,
  file: string,
  blob: string,
): Promise<string> {
  const path = snapshotPath(folder, commit, file);
  const [there, wanted] = await Promise.all([pathStatus(path, "follow"), pathStatus(blob, "follow")]);
  if (wanted !== undefined && there?.identity !== wanted.identity) await linkFile(blob, path);
  return path;
}
